"""What ships, where to, and what holds it."""
