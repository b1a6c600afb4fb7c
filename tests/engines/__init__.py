"""Databases, stores and processes of our own for the tests; nothing of the machine's is touched."""
