"""Keeping what an installation knows: backups, restores, the way to another engine, the way back from an upgrade."""
