"""What people and programs send that nobody should be able to break anything with."""
