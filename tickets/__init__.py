"""Projects, tickets, turns, workspaces."""
