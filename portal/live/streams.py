"""The registry of streams by prefix, and who may follow what.

A stream is named ``prefix:rest``, or ``prefix`` alone where there is one of a
kind. The layer that owns the objects registers the prefix, in its AppConfig.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db import Error

from portal.core import access
from portal.core.access import Rule
from portal.live.cursor import NO_STREAM, Cursor
from portal.live.sources import DataSource, Derived, DerivedSource, Events, Source, adapt

log = logging.getLogger(__name__)
_NAME: Final = re.compile(r"([a-z][a-z_-]{0,29})(?::[A-Za-z0-9][A-Za-z0-9._:@+-]{0,99})?", re.ASCII)

ScopeOf = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Kind:
    """All streams of one prefix. ``label`` says to people what it is."""

    prefix: str
    rule: Rule
    scope_of: ScopeOf
    source: Source
    label: str


@dataclass(frozen=True, slots=True)
class Admission:
    """That a person may follow a stream, and the scope by which that is looked at again."""

    kind: Kind
    scope: str


_kinds: dict[str, Kind] = {}


def register(
    prefix: str,
    rule: Rule,
    scope_of: ScopeOf,
    source: DataSource | DerivedSource | None = None,
    *,
    label: str = "",
) -> None:
    """Declare the streams of ``prefix``; without a source they are events.

    ``scope_of(name)`` takes the whole name and answers the access scope of its
    object, ``""`` where the rule asks for none, or ``None`` where there is no
    such object. Raises ``ValueError`` where the prefix is taken.
    """
    if not _NAME.fullmatch(prefix):
        raise ValueError(f"{prefix!r} is no prefix of a stream.")
    if prefix in _kinds:
        raise ValueError(f"Streams {prefix}: are registered twice.")
    access.declare(f"stream.{prefix}", "socket", rule)
    _kinds[prefix] = Kind(prefix, rule, scope_of, adapt(source), label or prefix)


def kinds() -> list[Kind]:
    return sorted(_kinds.values(), key=lambda kind: kind.prefix)


def kind_of(name: str) -> Kind | None:
    """The registered kind of a well-formed name."""
    return _kinds.get(name.partition(":")[0]) if _NAME.fullmatch(name) else None


def scope(kind: Kind, name: str) -> str | None:
    """The scope of the stream's object; a name that its owner cannot make sense of has none."""
    try:
        return kind.scope_of(name)
    except Error:
        raise
    except Exception:
        log.exception("the scope of %s failed", name)
        return None


def admit(user: Any, name: str) -> Admission | None:
    """The admission of ``user`` to a stream; ``None`` alike for what is not there and what is not theirs."""
    kind = kind_of(name)
    found = scope(kind, name) if kind else None
    if kind is None or found is None or not access.may(user, kind.rule, found):
        return None
    return Admission(kind, found)


def cursors(*names: str) -> dict[str, str]:
    """Where these streams are: for a page, asked **before** it reads what it shows.

    All event streams in one statement. Names that nobody registered are taken
    for events, so that a page does not fail over them.
    """
    found: dict[str, Cursor] = {}
    events: list[str] = []
    for name in names:
        kind = kind_of(name)
        if kind is None or isinstance(kind.source, Events):
            events.append(name)
        else:
            found[name] = kind.source.position(name).now
    positions = Events().positions(events) if events else {}
    return {name: str(found.get(name) or positions.get(name, NO_STREAM).now) for name in names}


def by_source(known: dict[str, Cursor]) -> Sequence[tuple[Source, dict[str, Cursor]]]:
    """Group streams by what they are read from."""
    groups: dict[int, tuple[Source, dict[str, Cursor]]] = {}
    for name, cursor in known.items():
        kind = kind_of(name)
        if kind is not None:
            # All event streams share one statement, whatever their prefix.
            source = kind.source
            key = 0 if isinstance(source, Events) else id(source)
            groups.setdefault(key, (source, {}))[1][name] = cursor
    return list(groups.values())


def is_derived(name: str) -> bool:
    kind = kind_of(name)
    return kind is not None and isinstance(kind.source, Derived)
