"""Who is behind a session, asked for many sessions at once."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.sessions.backends.db import SessionStore
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from portal.core import access, limits
from portal.live import streams


@dataclass(frozen=True, slots=True)
class SignedIn:
    """What a session says; nothing of it is believed before the account is read."""

    user: str
    auth_hash: str
    began_at: float


def people(keys: Collection[str]) -> dict[str, Any]:
    """The active person behind each session that still holds, with their roles read anew.

    A session does not hold when it ended, is past its absolute age, or the
    password changed since. Two statements, and those of ``access.roles`` for
    each person.
    """
    sessions = _sessions(keys)
    accounts = get_user_model()._default_manager.in_bulk({session.user for session in sessions.values()})
    by_name = {str(pk): user for pk, user in accounts.items() if user.is_active}
    hashes = {name: _hashes(user) for name, user in by_name.items()}
    found = {}
    for key, session in sessions.items():
        known = hashes.get(session.user, ())
        if any(constant_time_compare(session.auth_hash, good) for good in known):
            found[key] = by_name[session.user]
    for user in {id(user): user for user in found.values()}.values():
        access.roles(user)
    return found


def review(keys: Collection[str], names: Iterable[str]) -> tuple[dict[str, Any], dict[str, str | None]]:
    """One look at the rights of open sockets: people by session, and the scopes of some streams asked again."""
    scopes: dict[str, str | None] = {}
    for name in names:
        kind = streams.kind_of(name)
        scopes[name] = streams.scope(kind, name) if kind else None
    return people(keys), scopes


def _sessions(keys: Collection[str]) -> dict[str, SignedIn]:
    model = _store().get_model_class()
    kept = model._default_manager.filter(session_key__in=list(keys), expire_date__gt=timezone.now())
    oldest = time.time() - limits.value("SESSION_MAX_HOURS") * 3600
    found = {key: _read(data) for key, data in kept.values_list("session_key", "session_data")}
    return {key: session for key, session in found.items() if session and session.began_at > oldest}


def _store() -> type[SessionStore]:
    store: type[SessionStore] = import_module(settings.SESSION_ENGINE).SessionStore
    return store


@lru_cache(maxsize=4096)
def _read(data: str) -> SignedIn | None:
    """Signed data of a session; the same text says the same at each of the many looks."""
    session = _store()().decode(data)
    if session.get(BACKEND_SESSION_KEY) not in settings.AUTHENTICATION_BACKENDS:
        return None
    user, auth_hash = session.get(SESSION_KEY), session.get(HASH_SESSION_KEY)
    if not user or not auth_hash:
        return None
    # A session whose first page is still being answered has no beginning yet.
    return SignedIn(str(user), auth_hash, session.get("began_at", float("inf")))


def _hashes(user: Any) -> tuple[str, ...]:
    return (user.get_session_auth_hash(), *user.get_session_auth_fallback_hash())
