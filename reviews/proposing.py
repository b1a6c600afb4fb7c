"""What agents find beside their work: proposed as a document, which a person reads, applies or discards."""

from __future__ import annotations

import hashlib
from typing import Final, NamedTuple

from django.db.models import Case, IntegerField, Value, When

from portal.core import limits
from portal.core.lifecycle import Refused
from portal.core.redaction import redact
from portal.core.unseen import is_unseen
from reviews import documents
from reviews.importing import BadInput, parse
from reviews.models import Decision, DecisionState, Finding, FindingState, Review, Severity
from tickets.credentials import speaking
from tickets.models import Turn
from tickets.speaking import checked

SERIES: Final = "Proposed by agents"
SEVERITIES: Final = tuple(severity.value for severity in Severity if severity is not Severity.NONE)
PLACE_CHARS: Final = 300
REJECTED_TOLD: Final = 50
HIGHEST_LINE: Final = 10_000_000


class Proposal(NamedTuple):
    """A finding as an agent writes it down. ``line`` counts from 1."""

    title: str
    severity: str
    text: str
    file: str = ""
    line: int | None = None


class Open(NamedTuple):
    """Open findings of a project, those of the asking ticket first. ``more``: how many are left out."""

    findings: list[Finding]
    more: int


def open_findings(turn: Turn, most: int) -> Open:
    own = Case(When(ticket=turn.ticket_id, then=Value(0)), default=Value(1), output_field=IntegerField())
    rows = Finding.objects.filter(series__project=turn.ticket.project_id, state=FindingState.OPEN)
    found = list(rows.select_related("series", "ticket").order_by(own, "-pk")[:most])
    return Open(found, rows.count() - len(found) if len(found) == most else 0)


class Rejected(NamedTuple):
    """What people rejected in a project, the newest first. ``more``: how many are left out."""

    decisions: list[Decision]
    more: int


def known_rejected(turn: Turn) -> Rejected:
    """Not to be found again: rejections that are in force."""
    rows = Decision.objects.filter(kind=Decision.Kind.REJECT, state=DecisionState.IN_FORCE)
    rows = rows.filter(finding__series__project=turn.ticket.project_id).select_related("finding")
    found = list(rows.order_by("-pk")[:REJECTED_TOLD])
    return Rejected(found, rows.count() - len(found) if len(found) == REJECTED_TOLD else 0)


def propose(turn: Turn, proposal: Proposal) -> tuple[Review, bool]:
    """``(review, made)``: a review of the project's series of proposals; the same proposal again is the same review.

    It is read as every document is, and its plan waits: nothing is a finding
    until a person applies it. Raises ``Refused``.
    """
    document = _document(turn, _checked(proposal))
    _check_reading(document, proposal.title)
    name = f"{turn.ticket.key}-turn-{turn.seq}-"
    with speaking(turn):
        said = Review.objects.filter(series__project=turn.ticket.project_id, series__name=SERIES)
        digest = hashlib.sha256(document).hexdigest()
        known = said.filter(digest=digest).exists()
        if not known and said.filter(file_name__startswith=name).count() >= (most := limits.value("TURN_PROPOSALS")):
            raise Refused(f"This turn has proposed {most} findings, and proposes no more. Say the rest as you finish.")
        project = turn.ticket.project
        return documents.receive(project, series_name=SERIES, content=document, file_name=f"{name}{digest[:8]}.md")


def _checked(proposal: Proposal) -> Proposal:
    title = redact(checked("title", proposal.title, limits.value("TITLE_MAX_CHARS")))
    text = redact(checked("text", proposal.text, limits.value("PROPOSAL_MAX_CHARS")))
    file = redact(checked("file", proposal.file, PLACE_CHARS, blank=True))
    for name, said in (("title", title), ("file", file)):
        if len(said.splitlines()) > 1:
            raise Refused(f"{name} is one line.")
    if proposal.severity not in SEVERITIES:
        raise Refused(f"severity is one of {', '.join(SEVERITIES)}.")
    if proposal.line is not None and (is_unseen(file) or not 1 <= proposal.line <= HIGHEST_LINE):
        raise Refused("line counts from 1, and needs the file that it is in.")
    return proposal._replace(title=" ".join(title.split()), text=text, file=file.strip())


def _document(turn: Turn, proposal: Proposal) -> bytes:
    """Markdown, as the importer reads it; what the agent wrote is quoted, so that it adds no finding of its own."""
    agent = turn.agent_version.agent.name
    place = f"{proposal.file}:{proposal.line}" if proposal.line else proposal.file
    lines = [
        f"# Proposed by {agent}",
        "",
        f"Reviewer: {agent}",
        f"Ticket: {turn.ticket.key}",
        "",
        f"Proposed in turn {turn.seq} of {turn.ticket.key}. Nobody has judged it yet.",
        "",
        f"## P1: {proposal.title}",
        "",
        f"Severity: {proposal.severity.capitalize()}",
        *([f"File: {place}"] if place else []),
        "",
        *(f"> {line}".rstrip() for line in proposal.text.splitlines()),
    ]
    return ("\n".join(lines) + "\n").encode()


def _check_reading(document: bytes, title: str) -> None:
    """What would be read as another thing than was meant is refused while its author can still mend it."""
    try:
        found = parse(document, name="proposal.md").findings
    except BadInput as refusal:
        raise Refused(f"The proposal cannot be read: {refusal.message}") from None
    if len(found) != 1:
        raise Refused(
            f"The proposal reads as {len(found)} findings, and is to be one. Say it in plain sentences, without"
            " headings, and propose another finding by itself."
        )
