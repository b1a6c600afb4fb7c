"""Councils: reviews asked of several people and agents on one commit, their votes, and what comes of it."""
