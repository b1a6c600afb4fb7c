"""Jobs, attempts and claims; the agents that do the work and the processes that they are."""
