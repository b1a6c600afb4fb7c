"""The schema guard."""
