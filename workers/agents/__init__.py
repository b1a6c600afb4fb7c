"""Coding agents: how each one is spoken to and how what it says is read."""
