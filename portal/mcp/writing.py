"""Tools that write: what the agent says on its ticket, how its turn ends, and what it found beside its work."""

from __future__ import annotations

import base64
import binascii
from typing import Any, Literal

from pydantic import Field

from portal.core import limits
from portal.core.lifecycle import Refused
from portal.mcp.tools import Arguments, tool
from reviews import proposing
from reviews.proposing import Proposal
from tickets import speaking
from tickets.models import Turn

END_NOW = "It is recorded. End your turn now: print nothing more, and exit."
AGAIN = "It was recorded before. End your turn now."


class MessageIn(Arguments):
    body: str = Field(description="the message, as Markdown")
    idempotency_key: str = Field("", max_length=64, description="the same key twice in this turn is one message")


class Option(Arguments):
    label: str
    detail: str = ""


class QuestionIn(Arguments):
    question: str = Field(description="what you ask, as Markdown")
    options: list[str | Option] = Field([], max_length=50, description="answers to choose from; none: in words")
    default: int | str | None = Field(None, description="your own choice: its place, from 0, or its label")
    deadline_minutes: int | None = Field(None, description="until when the answer is wanted, minutes from now")


class FileIn(Arguments):
    name: str = Field(min_length=1, max_length=200)
    text: str | None = Field(None, description="the file's text; or else content_base64")
    content_base64: str | None = Field(None, description="the file's bytes")


class ProgressIn(Arguments):
    text: str = Field(description="where the work stands, in one line; it replaces the last one")


class FinishIn(Arguments):
    signal: Literal["DONE", "BLOCKED", "FAILED"] = Field(
        description="DONE: the work is committed; BLOCKED: something outside is in the way; FAILED: you could not"
    )
    payload: str = Field("", description="what was done, or what is in the way, in a few lines")


class ProposalIn(Arguments):
    title: str = Field(description="the problem, in one line")
    severity: Literal["critical", "high", "medium", "low", "info"]
    text: str = Field(description="what happens, and why it matters")
    file: str = Field("", description="the file, from the top of the repository")
    line: int | None = Field(None, description="the line in it, from 1")


@tool("post_message", MessageIn, writes=True)
def post_message(turn: Turn, given: MessageIn) -> dict[str, Any]:
    """Say something on the ticket while you work. It is no signal, and nobody is waited for."""
    message, made = speaking.post(turn, given.body, given.idempotency_key)
    return {"number": message.number, "new": made}


@tool("ask", QuestionIn, writes=True)
def ask(turn: Turn, given: QuestionIn) -> dict[str, Any]:
    """Ask a person. This is the signal NEEDS_INPUT of your turn: end it then; the answer comes with your next one."""
    made = speaking.ask(turn, given.model_dump(exclude_none=True))
    return {"signal": "NEEDS_INPUT", "next": END_NOW if made else AGAIN}


@tool("attach", FileIn, writes=True)
def attach(turn: Turn, given: FileIn) -> dict[str, Any]:
    """Attach a file to the ticket, for people to open: a text, or bytes as base64. The same bytes are one file."""
    attachment, made = speaking.attach(turn, given.name, _content(given))
    return {"name": attachment.name, "bytes": attachment.size_bytes, "sha256": attachment.digest, "new": made}


@tool("report_progress", ProgressIn, writes=True)
def report_progress(turn: Turn, given: ProgressIn) -> dict[str, Any]:
    """Say where you are, for people who watch: one line, which replaces the last one."""
    speaking.report(turn, given.text)
    return {"shown": True}


@tool("finish", FinishIn, writes=True)
def finish(turn: Turn, given: FinishIn) -> dict[str, Any]:
    """End your turn with its signal, once, instead of the signal line. Commit before: DONE is measured."""
    made = speaking.finish(turn, given.signal, given.payload)
    return {"signal": given.signal, "next": END_NOW if made else AGAIN}


@tool("propose_finding", ProposalIn, writes=True)
def propose_finding(turn: Turn, given: ProposalIn) -> dict[str, Any]:
    """Propose a problem that you saw beside your task. A person reads it, and decides whether it becomes a finding."""
    review, made = proposing.propose(turn, Proposal(**given.model_dump()))
    return {"review": review.pk, "new": made, "next": "It waits for a person. It is no finding until they apply it."}


def _content(given: FileIn) -> bytes:
    if (given.text is None) == (given.content_base64 is None):
        raise Refused("Send the file as text, or as content_base64: one of the two.")
    if given.text is not None:
        return given.text.encode()
    most, sent = limits.value("ATTACHMENT_MAX_BYTES"), given.content_base64 or ""
    if len(sent) > most * 4 // 3 + 4:
        raise Refused(f"A file has at most {most:,} bytes.")
    try:
        return base64.b64decode(sent, validate=True)
    except (binascii.Error, ValueError):
        raise Refused("content_base64 is not base64.") from None
