"""Live pages: streams, events, and the one hub of each web process."""
