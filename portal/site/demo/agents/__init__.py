"""Agents of the demo: programs that do what a coding agent does, each time in the same way."""
