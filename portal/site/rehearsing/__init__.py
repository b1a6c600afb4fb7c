"""Migrations are rehearsed: on a copy with data, forward, backward and forward again, compared at each turn."""
