"""Turns that only read: an agent looks at one commit, on a ticket of its own, and hands in a document.

The layer above asks for them, says what is to be read (``told_by``), and is
given what became of it (``answered``). What an agent wrote is bytes here: a
document that somebody reads later, and never an instruction.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from portal.core import limits
from tickets import attachments
from tickets.attachments import FileGone
from tickets.followers import Followers
from tickets.models import Attachment, Purpose, Ticket, Turn

# An object as a signal's payload hands a document in under one of these names.
PAYLOAD_NAMES: Final = ("document", "review")


@dataclass(frozen=True, slots=True)
class Reading:
    """What an agent is to read: ``commit``, against ``base`` where one is named. ``form`` says how it is to write."""

    commit: str
    base: str
    subject: str
    form: str


@dataclass(frozen=True, slots=True)
class Handed:
    """A document as it was handed in, or why what was there is none."""

    name: str = ""
    content: bytes = b""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a reading. Without ``content`` it came to nothing, for ``problem``."""

    ticket: Ticket
    turn: Turn | None
    handed: Handed
    payload: str | Mapping[str, object] = ""


# Given a ticket: what its agent is to read; None where it is a ticket like any other.
_tellers: list[Callable[[Ticket], Reading | None]] = []
answered: Followers[Answer] = Followers()


def told_by(teller: Callable[[Ticket], Reading | None]) -> None:
    """Register once, however often it is asked for."""
    if teller not in _tellers:
        _tellers.append(teller)


def of(ticket: Ticket, purpose: Purpose) -> Reading | None:
    """What a turn of this purpose is to read, where it only reads."""
    if purpose is not Purpose.REVIEW:
        return None
    return next((found for teller in _tellers if (found := teller(ticket)) is not None), None)


def file_name(turn: Turn) -> str:
    """Of the one file that it may leave at the top of the worktree; no repository has one of that name."""
    return f"review-{turn.nonce[-12:]}.md"


# What it handed in ------------------------------------------------------------------


def left_in(folder: Path, turn: Turn) -> Handed | None:
    """The file that the agent left, as it is; None where there is none. A link, or what is no file, is none either."""
    name = file_name(turn)
    most = limits.value("DOCUMENT_TEXT_MAX_BYTES")
    try:
        # An agent may have put anything under that name: no link is followed, and no pipe is waited for.
        descriptor = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        return bounded(name, file.read(most + 1))


def bounded(name: str, content: bytes) -> Handed:
    """``content``, unless it is empty or more than a document may be."""
    most = limits.value("DOCUMENT_TEXT_MAX_BYTES")
    if not content.strip():
        return Handed(name, problem=f"{name} is empty.")
    if len(content) > most:
        return Handed(name, problem=f"{name} is longer than the {most:,} bytes that a document may have.")
    return Handed(name, content)


def attached(turn: Turn) -> Handed | None:
    """The newest file that the agent attached to the ticket, whose bytes are still there."""
    agent = turn.agent_version.agent.name
    rows = Attachment.objects.filter(ticket=turn.ticket_id, uploader=None, uploader_label=agent)
    for file in rows.filter(removed_at__isnull=True).order_by("-pk")[:1]:
        with suppress(FileGone), attachments.open_file(file) as stored:
            return bounded(file.name, stored.read(limits.value("DOCUMENT_TEXT_MAX_BYTES") + 1))
    return None


def said(payload: str | Mapping[str, object]) -> Handed | None:
    """A document that the signal itself carries; one sentence is no document."""
    if isinstance(payload, str):
        return bounded("its last message", payload.encode()) if "\n" in payload.strip() else None
    for name in PAYLOAD_NAMES:
        if isinstance(text := payload.get(name), str) and text.strip():
            return bounded("its last message", text.encode("utf-8", "replace"))
    return None


def handed_in(turn: Turn, left: Handed | None, payload: str | Mapping[str, object]) -> Handed:
    """What counts: the file that it was told to write, else what it attached, else what it said as it ended."""
    found = left or attached(turn) or said(payload)
    return found or Handed(problem="It handed in no document: no file, nothing attached, none in its last message.")
