"""Child processes: a supervisor owns the tree, the worker renews or ends it, a reader follows its output.

Standard library only. Nothing here knows Django, the database, tickets or agents.
"""
