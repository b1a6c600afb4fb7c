"""Findings as people answer them, and the tickets made of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, NamedTuple

from portal.core import limits
from portal.core.lifecycle import Change, Refused
from portal.core.models import User
from portal.core.unit import unit_of_work
from reviews import decisions, evidence, grouping
from reviews.models import Finding, FindingState, Occurrence, Severity
from reviews.transitions import ANSWERS, FINDING
from tickets import keys
from tickets.models import ProjectCounter, Ticket
from tickets.work import create_ticket

# Columns of a table that the ticket has elsewhere.
_TOLD: Final = frozenset({"ref", "ticket", "title", "severity", "files"})


def make_tickets(findings: Iterable[Finding], *, together: str = "", by: str = "") -> list[Ticket]:
    """A ticket for each finding that has none; returns those made.

    With ``by`` (``grouping.WAYS``) it is one for each group, named by what its
    findings share; with ``together`` one of that title for all of them.
    Findings that have a ticket, or were withdrawn, are left as they are, so a
    second click makes nothing. A finding with a key of its document takes the
    ticket that ``tickets.keys`` decides on; one ticket for many takes none.
    Raises ``Refused`` for more findings than are taken at once.
    """
    wanted = [finding.pk for finding in findings]
    most = limits.value("MAKE_TICKETS_ROWS")
    if len(wanted) > most:
        raise Refused(f"At most {most:,} findings at once (you chose {len(wanted):,}).")
    if by and by not in grouping.WAYS:
        raise Refused(f"Findings are grouped by one of: {', '.join(grouping.WAYS)}.")
    with unit_of_work():
        bare = _bare(wanted)
        said = _said(bare)
        owned = _owned(bare, said, together.strip(), by)
        FINDING.move_all(
            Change(finding, "ticketed", {"ticket_id": ticket.pk}, f"Its ticket is {ticket.key}.")
            for finding, ticket, _ in owned
        )
        # A ticket that was there may have done its work already.
        evidence.relate([finding for finding, _, made in owned if not made], reason="It has a ticket now.")
    made = {ticket.pk: ticket for _, ticket, made in owned if made}
    return [made[pk] for pk in sorted(made)]


class Owned(NamedTuple):
    """A finding, its ticket, and whether that was made for it."""

    finding: Finding
    ticket: Ticket
    made: bool


def _owned(bare: list[Finding], said: dict[int, Occurrence], together: str, by: str) -> list[Owned]:
    if together:
        return _together(bare, said, together)
    if not by:
        return [_single(finding, said.get(finding.pk)) for finding in bare]
    owned: list[Owned] = []
    for title, findings in grouping.groups(bare, by):
        owned += _one(findings, said, title) if title else [_single(findings[0], said.get(findings[0].pk))]
    return owned


def _bare(wanted: list[int]) -> list[Finding]:
    """Those without a ticket, locked in id order after the counters that give numbers: two clicks are one."""
    projects = Finding.objects.filter(pk__in=wanted).values("series__project")
    list(ProjectCounter.objects.filter(pk__in=projects).select_for_update().order_by("pk"))
    rows = Finding.objects.filter(pk__in=wanted, ticket=None).exclude(state=FindingState.WITHDRAWN)
    rows = rows.select_for_update(of=("self",), no_key=True).select_related("series__project")
    return list(rows.order_by("pk"))


def _single(finding: Finding, last: Occurrence | None) -> Owned:
    words: dict[str, Any] = {
        "title": finding.title[: limits.value("TITLE_MAX_CHARS")],
        "body": _cut(_body(finding, last)),
        "reason": f"From {finding} of {finding.series}.",
    }
    if not finding.ticket_key:
        return Owned(finding, create_ticket(finding.series.project, **words), True)
    adopting = last is None or last.review.document_keys
    ticket, chosen = keys.create_with_key(finding.series.project, finding.ticket_key, adopting=adopting, **words)
    return Owned(finding, ticket, chosen.keys != keys.Keys.LINK)


def _together(bare: list[Finding], said: dict[int, Occurrence], title: str) -> list[Owned]:
    if len({finding.series.project_id for finding in bare}) > 1:
        raise Refused("These findings are of more than one project, so one ticket cannot hold them. Choose of one.")
    return _one(bare, said, title) if bare else []


def _one(findings: list[Finding], said: dict[int, Occurrence], title: str) -> list[Owned]:
    """One ticket for all of these, which are of one project."""
    listed = "\n".join(f"{n}. {_line(finding)}" for n, finding in enumerate(findings, start=1))
    parts = [f"## {_line(finding)}\n\n{_body(finding, said.get(finding.pk))}" for finding in findings]
    series = ", ".join(sorted({str(finding.series) for finding in findings}))
    ticket = create_ticket(
        findings[0].series.project,
        title=title[: limits.value("TITLE_MAX_CHARS")],
        body=_cut("\n\n".join([f"{len(findings)} findings:\n\n{listed}", *parts])),
        reason=f"From {len(findings)} findings of {series}."[:500],
    )
    return [Owned(finding, ticket, True) for finding in findings]


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


def answer(
    finding: Finding,
    verb: str,
    *,
    reason: str,
    by: User | None = None,
    evidence: str = "",
    scope: str = "",
    until: datetime | None = None,
    expected_version: int | None = None,
) -> Finding:
    """Fix, reject or defer a finding, or ask that it be waived, with the reason in words. Raises ``Refused``.

    All but a fix are decisions of a person (see ``decisions``): a rejection
    takes ``evidence``, a deferral and a waiver ``until``, a waiver a
    ``scope``, too, and counts when another person gives it.
    """
    if verb not in ANSWERS:
        raise Refused(f"A finding is answered by one of: {', '.join(ANSWERS)}.")
    if not reason.strip():
        raise Refused("Say why: the reason is what the next reader has.")
    said: dict[str, Any] = {"reason": reason, "expected_version": expected_version}
    if verb == "fix":
        with unit_of_work():
            FINDING.move(finding, verb, **said, answer=reason.strip())
            decisions.settle([finding.pk], "It is fixed.")
        return finding
    if by is None:
        raise Refused("A person decides that: by nobody it cannot be done.")
    if verb == "reject":
        decisions.reject(finding, by=by, evidence=evidence, **said)
    elif problem := decisions.problem_of_end(verb, until):
        raise Refused(problem)
    elif until is not None and verb == "defer":
        decisions.defer(finding, by=by, until=until, **said)
    elif until is not None:
        decisions.ask_waiver(finding, by=by, until=until, scope=scope, **said)
    return finding


def open_again(finding: Finding, *, reason: str, expected_version: int | None = None) -> Finding:
    """What was decided of it ends with that. Raises ``Refused``."""
    with unit_of_work():
        FINDING.move(finding, "open_again", reason=reason, expected_version=expected_version, answer="")
        decisions.settle([finding.pk], reason.strip() or "It was opened again.")
    return finding


def ticket_accepted(ticket: Ticket) -> None:
    """The work of a ticket was accepted: its open findings are fixed by it."""
    rows = list(Finding.objects.filter(ticket=ticket, state=FindingState.OPEN).select_related("series"))
    words = {"answer": f"Fixed by {ticket.key}."}
    FINDING.move_all(Change(finding, "fix", words, f"{ticket.key} was accepted.") for finding in rows)
    decisions.settle([finding.pk for finding in rows], f"{ticket.key} was accepted.")


def ticket_reopened(ticket: Ticket) -> None:
    rows = Finding.objects.filter(ticket=ticket, state=FindingState.FIXED).select_related("series")
    FINDING.move_all(Change(finding, "open_again", {"answer": ""}, f"{ticket.key} was reopened.") for finding in rows)
