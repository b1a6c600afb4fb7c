"""The suite: ``python -m tests.run`` runs it on both engines."""
