"""Findings as people answer them, and the tickets made of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from portal.core import limits
from portal.core.lifecycle import Change, Refused
from portal.core.unit import unit_of_work
from reviews import evidence
from reviews.models import Finding, FindingState, Occurrence, Severity
from reviews.transitions import ANSWERS, FINDING
from tickets import keys
from tickets.models import ProjectCounter, Ticket
from tickets.work import create_ticket

# Columns of a table that the ticket has elsewhere.
_TOLD: Final = frozenset({"ref", "ticket", "title", "severity", "files"})


def make_tickets(findings: Iterable[Finding], *, together: str = "") -> list[Ticket]:
    """A ticket for each finding that has none, or one titled ``together`` for all of them; returns those made.

    Findings that have a ticket, or were withdrawn, are left as they are, so a
    second click makes nothing. A finding with a key of its document takes the
    ticket that ``tickets.keys`` decides on; one ticket for many takes none.
    Raises ``Refused`` for more findings than are taken at once.
    """
    wanted = [finding.pk for finding in findings]
    most = limits.value("MAKE_TICKETS_ROWS")
    if len(wanted) > most:
        raise Refused(f"At most {most:,} findings at once (you chose {len(wanted):,}).")
    with unit_of_work():
        bare = _bare(wanted)
        said = _said(bare)
        owners = _together(bare, said, together.strip()) if together.strip() else _each(bare, said)
        FINDING.move_all(
            Change(finding, "ticketed", {"ticket_id": ticket.pk}, f"Its ticket is {ticket.key}.")
            for finding, (ticket, _) in zip(bare, owners, strict=True)
        )
        # A ticket that was there may have done its work already.
        found = [finding for finding, (_, made) in zip(bare, owners, strict=True) if not made]
        evidence.relate(found, reason="It has a ticket now.")
    made = {ticket.pk: ticket for ticket, made in owners if made}
    return [made[pk] for pk in sorted(made)]


Owner = tuple[Ticket, bool]


def _bare(wanted: list[int]) -> list[Finding]:
    """Those without a ticket, locked in id order after the counters that give numbers: two clicks are one."""
    projects = Finding.objects.filter(pk__in=wanted).values("series__project")
    list(ProjectCounter.objects.filter(pk__in=projects).select_for_update().order_by("pk"))
    rows = Finding.objects.filter(pk__in=wanted, ticket=None).exclude(state=FindingState.WITHDRAWN)
    rows = rows.select_for_update(of=("self",), no_key=True).select_related("series__project")
    return list(rows.order_by("pk"))


def _each(bare: list[Finding], said: dict[int, Occurrence]) -> list[Owner]:
    found: list[Owner] = []
    for finding in bare:
        last = said.get(finding.pk)
        words: dict[str, Any] = {
            "title": finding.title[: limits.value("TITLE_MAX_CHARS")],
            "body": _cut(_body(finding, last)),
            "reason": f"From {finding} of {finding.series}.",
        }
        if not finding.ticket_key:
            found.append((create_ticket(finding.series.project, **words), True))
            continue
        adopting = last is None or last.review.document_keys
        ticket, chosen = keys.create_with_key(finding.series.project, finding.ticket_key, adopting=adopting, **words)
        found.append((ticket, chosen.keys != keys.Keys.LINK))
    return found


def _together(bare: list[Finding], said: dict[int, Occurrence], title: str) -> list[Owner]:
    projects = {finding.series.project_id: finding.series.project for finding in bare}
    if len(projects) > 1:
        raise Refused("These findings are of more than one project, so one ticket cannot hold them. Choose of one.")
    if not bare:
        return []
    listed = "\n".join(f"{n}. {_line(finding)}" for n, finding in enumerate(bare, start=1))
    parts = [f"## {_line(finding)}\n\n{_body(finding, said.get(finding.pk))}" for finding in bare]
    ticket = create_ticket(
        projects.popitem()[1],
        title=title[: limits.value("TITLE_MAX_CHARS")],
        body=_cut("\n\n".join([f"{len(bare)} findings:\n\n{listed}", *parts])),
        reason=f"From {len(bare)} findings of {', '.join(sorted({str(finding.series) for finding in bare}))}."[:500],
    )
    return [(ticket, True)] * len(bare)


def _said(findings: list[Finding]) -> dict[int, Occurrence]:
    """What the newest review says of each."""
    rows = Occurrence.objects.filter(finding__in=[finding.pk for finding in findings]).select_related("review__series")
    newest = rows.defer("review__content", "review__reading").order_by("review__number")
    return {said.finding_id: said for said in newest}


def _line(finding: Finding) -> str:
    named = f"{finding.reference}: " if finding.reference else ""
    return " ".join(f"{named}{finding.title}".split())


def _body(finding: Finding, said: Occurrence | None) -> str:
    severity = finding.get_severity_display().lower()
    facts = [f"Severity: {severity}." if finding.severity != Severity.NONE else ""]
    facts.append(f"Places: {', '.join(f'`{place}`' for place in finding.files)}." if finding.files else "")
    if said is not None:
        facts.append(f"From {said.review}, {_lines(said)}.")
    return "\n\n".join(part for part in (_text(said) if said else "", " ".join(filter(None, facts))) if part)


def _text(said: Occurrence) -> str:
    """What the review says; a row of a table without its table is hard to read: its columns are listed."""
    row = said.body.strip()
    if not row.startswith("|") or "\n" in row:
        return said.body
    listed = [(label, value) for label, value in said.fields if label not in _TOLD and value.strip()]
    return "\n".join(f"- {label.capitalize()}: {value}" for label, value in listed)


def _lines(said: Occurrence) -> str:
    if said.line_start == said.line_end:
        return f"line {said.line_start}"
    return f"lines {said.line_start} to {said.line_end}"


def _cut(body: str) -> str:
    """A ticket's text has its limit; what a review says has none."""
    most = limits.value("BODY_MAX_CHARS")
    if len(body) <= most:
        return body
    end = f"\n\n(Cut here: it has {len(body)} characters, and {most} are kept. The rest is in the review.)"
    return body[: most - len(end)] + end


def answer(finding: Finding, verb: str, *, reason: str, expected_version: int | None = None) -> Finding:
    """Fix, reject or waive a finding, with the reason in words. Raises ``Refused``."""
    if verb not in ANSWERS:
        raise Refused(f"A finding is answered by one of: {', '.join(ANSWERS)}.")
    if not reason.strip():
        raise Refused("Say why: the reason is what the next reader has.")
    return FINDING.move(finding, verb, reason=reason, expected_version=expected_version, answer=reason.strip())


def open_again(finding: Finding, *, reason: str, expected_version: int | None = None) -> Finding:
    return FINDING.move(finding, "open_again", reason=reason, expected_version=expected_version, answer="")


def ticket_accepted(ticket: Ticket) -> None:
    """The work of a ticket was accepted: its open findings are fixed by it."""
    rows = Finding.objects.filter(ticket=ticket, state=FindingState.OPEN).select_related("series")
    words = {"answer": f"Fixed by {ticket.key}."}
    FINDING.move_all(Change(finding, "fix", words, f"{ticket.key} was accepted.") for finding in rows)


def ticket_reopened(ticket: Ticket) -> None:
    rows = Finding.objects.filter(ticket=ticket, state=FindingState.FIXED).select_related("series")
    FINDING.move_all(Change(finding, "open_again", {"answer": ""}, f"{ticket.key} was reopened.") for finding in rows)
