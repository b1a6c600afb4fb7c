"""The soak: the whole portal under load, broken at random, and checked from outside when it has come to rest."""
