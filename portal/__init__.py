"""Shiproom's project package.

SQLite comes from ``pysqlite3``: the system's library may carry the WAL-reset
bug (3.7.0 to 3.51.2), which corrupts a database under load. It has to be put
in place before Django's backend imports ``sqlite3``.
"""

import gc
import sys

import pysqlite3
import pysqlite3.dbapi2

sys.modules["sqlite3"] = pysqlite3
sys.modules["sqlite3.dbapi2"] = pysqlite3.dbapi2

# What is imported stays: to look through it for garbage again and again took a tenth of every start.
gc.set_threshold(20_000, 20, 20)

__version__ = "0.1.0"

# Celery's default application must be known wherever a wake-up is published.
from portal.celery import app as celery_app  # noqa: E402

__all__ = ["__version__", "celery_app"]
