"""While a handler runs, its connection writes under the fence or not at all.

The database itself refuses: the session is read-only (PostgreSQL:
``default_transaction_read_only``, which stops COPY, sequences and row locks
too; SQLite: ``query_only``), and only ``Claim.fenced`` opens a transaction
that may write, beginning with the renewal of the claim. A connection that is
opened anew while a handler runs is made read-only before its first statement.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.utils import Error as DatabaseFailure
from psycopg import Error as DriverFailure
from psycopg.pq import TransactionStatus

_guarded: ContextVar[bool] = ContextVar("shiproom_guarded", default=False)


class UnfencedWrite(Exception):
    """A handler wrote outside ``claim.fenced()``; the database refused."""


@contextmanager
def reading_only() -> Iterator[None]:
    """For the time of a handler. Raises ``UnfencedWrite`` where the database refused a write."""
    token = _guarded.set(True)
    # The object behind Django's proxy, whose method is replaced.
    parked = _Parked(connections[DEFAULT_DB_ALIAS])
    try:
        yield
    except (DatabaseFailure, DriverFailure, sqlite3.Error) as error:
        # The driver's own where the handler went past Django (COPY does).
        if _is_refusal(error):
            raise UnfencedWrite(f"The handler wrote outside its fence; nothing was written ({error}).") from error
        raise
    finally:
        _guarded.reset(token)
        parked.end()


@contextmanager
def writing() -> Iterator[None]:
    """A transaction that may write. The first statement in it must be the renewal of the claim."""
    if transaction.get_connection().in_atomic_block:
        raise RuntimeError("A fenced write opens its own transaction; it cannot begin inside another.")
    if not _guarded.get():
        with transaction.atomic():
            yield
        return
    if connection.vendor == "sqlite":
        _restrict(connection, False)
        try:
            with transaction.atomic():
                yield
        finally:
            _restrict(connection, True)
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION READ WRITE")
        yield


class _Parked:
    """A session that is restricted when it is first used: a handler that never asks the database pays for nothing.

    Django connects where ``wrapper.connection`` is None; meanwhile that means to take up the parked session.
    """

    def __init__(self, wrapper: Any) -> None:
        self.wrapper, self.session = wrapper, wrapper.connection
        if self.session is not None:
            wrapper.connection = None
            wrapper.connect = self._take_up

    def _take_up(self) -> None:
        self._put_back()
        _restrict(self.wrapper, True)

    def _put_back(self) -> None:
        del self.wrapper.connect
        self.wrapper.connection, self.session = self.session, None

    def end(self) -> None:
        """Back to normal, however the handler left it."""
        if self.session is not None:
            self._put_back()
        else:
            _release()


def _restrict(wrapper: Any, on: bool) -> None:
    wrapper.ensure_connection()
    with wrapper.wrap_database_errors:
        if wrapper.vendor == "sqlite":
            wrapper.connection.execute(f"PRAGMA query_only = {int(on)}")
            # BEGIN IMMEDIATE is a write to SQLite; a handler may read in a transaction.
            wrapper.transaction_mode = "DEFERRED" if on else wrapper.settings_dict["OPTIONS"]["transaction_mode"]
        else:
            # The driver's own call: it is made twice for every job.
            wrapper.connection.execute("SET default_transaction_read_only = " + ("on" if on else "off"))


def _release() -> None:
    """Back to normal; a connection that cannot be set back is closed, never handed on."""
    if connection.connection is None:
        return
    try:
        if connection.in_atomic_block or not connection.get_autocommit() or _in_transaction(connection):
            raise RuntimeError("the handler left a transaction open")
        _restrict(connection, False)
    except Exception:
        # Inside a block Django would keep the dead session, and every later statement would fail.
        connection.in_atomic_block = False
        connection.close()


def _in_transaction(wrapper: Any) -> bool:
    """Whether the session has one open, Django's or a raw BEGIN."""
    if wrapper.vendor == "sqlite":
        return bool(wrapper.connection.in_transaction)
    return bool(wrapper.connection.info.transaction_status != TransactionStatus.IDLE)


def _restrict_new(sender: type[BaseDatabaseWrapper], connection: BaseDatabaseWrapper, **_: Any) -> None:
    if _guarded.get():
        _restrict(connection, True)
    elif connection.settings_dict["OPTIONS"].get("pool"):
        # A pool hands sessions on as they are, also one that a handler has closed.
        _restrict(connection, False)


connection_created.connect(_restrict_new, dispatch_uid="workers.fencing")


def _is_refusal(error: Exception) -> bool:
    text = str(error).lower()
    return "read-only transaction" in text or "readonly database" in text
