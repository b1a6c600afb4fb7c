"""Documents become findings that somebody must answer."""
