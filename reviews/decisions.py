"""What people decide of findings that are not worked on: rejected, waived, deferred; each with what it takes.

A rejection takes a reason and evidence, a waiver a place, an end and a second
person, a deferral an end. Whoever changes one holds the lock of its finding's
row first, so that of two who decide at once one does, and the other is told.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from django.db.models import Q, QuerySet

from portal.core import access, bulk, clock, limits
from portal.core.access import Role, within
from portal.core.clock import Wall
from portal.core.lifecycle import Change, Gone, Refused, Stale
from portal.core.models import User
from portal.core.storable import is_storable
from portal.core.unit import current, unit_of_work
from portal.core.unseen import is_unseen
from reviews import scopes, telling
from reviews.models import Decision, DecisionState, Finding, FindingState
from reviews.transitions import DECISION, FINDING
from tickets.models import Project
from workers import queue

LOOK_KIND: Final = "decision.look"
DUE_KIND: Final = "decision.due"
REASON_CHARS: Final = 2000
END_CHARS: Final = 500
# Words that explain without a link, a commit, a place or a command say at least so much.
EXPLAINED_CHARS: Final = 20
STANDING: Final = (DecisionState.ASKED, DecisionState.IN_FORCE)
Kind = Decision.Kind
_MOST_DAYS: Final[dict[str, str]] = {Kind.WAIVE: "WAIVER_MAX_DAYS", Kind.DEFER: "DEFER_MAX_DAYS"}
# A link, a commit, a place in the code, a command or its output.
_SHOWN: Final = re.compile(
    r"https?://\S+\.\S|\b[0-9a-f]{7,64}\b|\w\.\w+(?::|#L)\d|`[^`]{2,}`|^\s*[$>] \S", re.MULTILINE
)


# What it takes ------------------------------------------------------------------


def problem_of_evidence(evidence: str) -> str:
    """Why these words show nothing; empty where they may."""
    said = evidence.strip()
    if is_unseen(said):
        return "Give evidence: a link, a commit, a place in the code, a command and what it said, or an explanation."
    most = limits.value("EVIDENCE_MAX_CHARS")
    if len(said) > most:
        return f"Evidence has at most {most:,} characters (you sent {len(said):,})."
    if not _SHOWN.search(said) and len(said) < EXPLAINED_CHARS:
        return (
            "That shows nothing yet: give a link, a commit, a place in the code, a command and what it said,"
            f" or an explanation of at least {EXPLAINED_CHARS} characters."
        )
    return ""


def problem_of_end(kind: str, until: datetime | None) -> str:
    """Why a waiver, or a deferral, cannot end then; empty where it can."""
    thing = "waiver" if kind == Kind.WAIVE else "deferral"
    if until is None:
        return f"Say until when: a {thing} ends."
    left, most = until - clock.now(), limits.value(_MOST_DAYS[kind])
    if left <= timedelta(0):
        return f"That is over already: a {thing} ends in the future."
    # The last day counts to its end.
    if left > timedelta(days=most + 1):
        return f"A {thing} lasts at most {most} days; then it can be asked for again."
    return ""


def end_of(day: date) -> datetime:
    """The last second of a day, which is when what lasts until that day ends."""
    return datetime.combine(day, time(23, 59, 59), UTC)


def why_not_give(decision: Decision, person: User) -> str:
    """Why ``person`` cannot give this waiver now; empty where nothing is in the way."""
    if decision.state != DecisionState.ASKED:
        return f"This waiver is {decision.get_state_display().lower()}: nobody can give it any more."
    if decision.asked_by_id == person.pk:
        return "You asked for this waiver, so somebody else gives it."
    if not access.may(person, within(Role.REVIEWER), decision.finding.series.project.scope):
        return "It takes a reviewer of the project to give a waiver."
    return ""


# Deciding -----------------------------------------------------------------------


def reject(finding: Finding, *, by: User, reason: str, evidence: str, expected_version: int | None = None) -> Decision:
    """It is no problem, and this shows it; a job then looks at the code that this rests on. Raises ``Refused``."""
    _refuse(problem_of_evidence(evidence))
    with unit_of_work():
        _lock(finding)
        _end_standing(finding, "It is rejected instead.")
        words = _answer(reason)
        FINDING.move(finding, "reject", reason=words, expected_version=expected_version, answer=words)
        made = _make(finding, Kind.REJECT, DecisionState.IN_FORCE, by, reason=words, evidence=_storable(evidence))
        scope = finding.series.project.scope
        queue.enqueue(LOOK_KIND, subject=made.subject, unique_key=made.subject, audience=scope)
    return made


def defer(finding: Finding, *, by: User, reason: str, until: datetime, expected_version: int | None = None) -> Decision:
    """Not now: the finding is open again by itself then. Raises ``Refused``."""
    _refuse(problem_of_end(Kind.DEFER, until))
    with unit_of_work():
        _lock(finding)
        _end_standing(finding, "It is deferred instead.")
        words = _answer(reason)
        FINDING.move(finding, "defer", reason=words, expected_version=expected_version, answer=words)
        made = _make(finding, Kind.DEFER, DecisionState.IN_FORCE, by, reason=words, until=until)
        _end_in_time(made)
    return made


def ask_waiver(
    finding: Finding,
    *,
    by: User,
    reason: str,
    until: datetime,
    scope: str = scopes.EVERYWHERE,
    expected_version: int | None = None,
) -> Decision:
    """Ask a second person that it may ship with this finding, until then; nothing is waived yet. Raises ``Refused``."""
    _refuse(problem_of_end(Kind.WAIVE, until))
    project = finding.series.project
    if scope and scope not in scopes.of(project):
        raise Refused(f"{project.key} has no environment {scope[:80]!r} in which a finding could be waived.")
    with unit_of_work():
        held = _lock(finding)
        if expected_version is not None and held.version != expected_version:
            raise Stale(held.subject, expected_version, held.version)
        if held.state != FindingState.OPEN:
            raise Refused(f"{finding} is {held.get_state_display().lower()}: only an open finding can be waived.")
        if (standing := standing_of(finding)) is not None:
            raise Refused(f"{in_words(standing)} End that first.")
        words: dict[str, Any] = {"reason": _answer(reason), "scope": scope, "until": until}
        made = _make(finding, Kind.WAIVE, DecisionState.ASKED, by, **words)
        _end_in_time(made)
        telling.waiver_asked(made)
    return made


def give(decision: Decision, *, by: User, expected_version: int | None = None) -> Decision:
    """The second person's yes: the waiver is in force. Raises ``Refused``."""
    with unit_of_work():
        held = _lock(decision.finding)
        decision.refresh_from_db()
        decision.finding = held
        _refuse(why_not_give(decision, by) or problem_of_end(Kind.WAIVE, decision.until))
        if held.state != FindingState.OPEN:
            raise Refused(f"{held} is {held.get_state_display().lower()} by now: there is nothing to waive.")
        given: dict[str, Any] = {"given_by": by, "given_label": str(by)[:254]}
        DECISION.move(decision, "give", reason=decision.reason, expected_version=expected_version, **given)
        if decision.scope == scopes.EVERYWHERE:
            FINDING.move(held, "waive", reason=decision.reason, answer=decision.reason)
        telling.waiver_given(decision)
    return decision


def refuse(decision: Decision, *, by: User, reason: str, expected_version: int | None = None) -> Decision:
    """No: the finding stays open. Raises ``Refused``."""
    words = _answer(reason)
    with unit_of_work():
        held = _lock(decision.finding)
        decision.finding = held
        ended: dict[str, Any] = {
            "ended_at": Wall(),
            "end_reason": words[:END_CHARS],
            "given_by": by,
            "given_label": str(by)[:254],
        }
        DECISION.move(decision, "refuse", reason=words, expected_version=expected_version, **ended)
        telling.waiver_refused(decision)
    return decision


def end(decision: Decision, *, reason: str, expected_version: int | None = None) -> Decision:
    """It holds no more: where the finding rested on it, that is open again. Raises ``Refused``."""
    words = _answer(reason)
    with unit_of_work():
        held = _lock(decision.finding)
        decision.refresh_from_db()
        decision.finding = held
        rested = decision.state == DecisionState.IN_FORCE and held.state == _state_under(decision)
        ended: dict[str, Any] = {"ended_at": Wall(), "end_reason": words[:END_CHARS]}
        DECISION.move(decision, "end", reason=words, expected_version=expected_version, **ended)
        if rested and held.state != FindingState.OPEN:
            FINDING.move(held, "open_again", reason=words, answer="")
    return decision


def settle(findings: Iterable[int], reason: str) -> None:
    """These findings have moved: what was decided of them and does not fit their state any more ends.

    Call it in the unit of work that moved them.
    """
    for chunk in bulk.chunks(sorted(set(findings))):
        rows = standing().filter(_UNFIT, finding__in=chunk)
        _end_all(rows, reason)


# What stands --------------------------------------------------------------------


def standing() -> QuerySet[Decision]:
    """What waits for a second person, or is in force."""
    return Decision.objects.filter(state__in=STANDING).select_related("finding__series__project")


def standing_of(finding: Finding) -> Decision | None:
    found = standing().filter(finding=finding).first()
    if found is not None:
        found.finding = finding
    return found


def waived_in(project: Project, place: str) -> dict[int, Decision]:
    """The waivers of open findings that hold in this place alone now, by the finding's id."""
    return {row.finding_id: row for row in waived_in_places([project]).filter(scope=place)}


def waived_in_places(projects: Iterable[Project]) -> QuerySet[Decision]:
    """The waivers of open findings of these projects that hold in one place alone now."""
    rows = standing().filter(state=DecisionState.IN_FORCE, kind=Kind.WAIVE, until__gt=Wall())
    rows = rows.filter(finding__series__project__in=projects, finding__state=FindingState.OPEN).exclude(scope="")
    return rows.order_by("pk")


def in_words(decision: Decision) -> str:
    """What was decided, until when, by whom: a sentence."""
    by, until = decision.asked_label, f" until {day_of(decision.until)}" if decision.until else ""
    if decision.kind == Kind.REJECT:
        return f"Rejected by {by} on {day_of(decision.asked_at)}."
    if decision.kind == Kind.DEFER:
        return f"Deferred{until} by {by}."
    where = f" {scopes.in_words(decision.scope)}"
    if decision.state == DecisionState.ASKED:
        return f"A waiver{where}{until} was asked for by {by}; it waits for a second person."
    return f"Waived{where}{until}: asked by {by}, given by {decision.given_label}."


def day_of(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d}" if moment else ""


_UNFIT: Final = (
    (Q(kind=Kind.REJECT) & ~Q(finding__state=FindingState.REJECTED))
    | (Q(kind=Kind.DEFER) & ~Q(finding__state=FindingState.DEFERRED))
    | (Q(kind=Kind.WAIVE, state=DecisionState.IN_FORCE, scope="") & ~Q(finding__state=FindingState.WAIVED))
    | (Q(kind=Kind.WAIVE) & (Q(state=DecisionState.ASKED) | ~Q(scope="")) & ~Q(finding__state=FindingState.OPEN))
)


def _state_under(decision: Decision) -> str:
    """The state of a finding while such a decision is in force."""
    if decision.kind == Kind.WAIVE:
        return FindingState.OPEN if decision.scope else FindingState.WAIVED
    return FindingState.REJECTED if decision.kind == Kind.REJECT else FindingState.DEFERRED


def _lock(finding: Finding) -> Finding:
    rows = Finding.objects.select_for_update(of=("self",), no_key=True).select_related("series__project")
    found = rows.filter(pk=finding.pk).first()
    if found is None:
        raise Gone(f"Finding {finding.pk} is not there any more.")
    return found


def _make(finding: Finding, kind: Kind, state: DecisionState, by: User, **fields: Any) -> Decision:
    made = Decision.objects.create(
        finding=finding, kind=kind, state=state, asked_by=by, asked_label=str(by)[:254], **fields
    )
    made.refresh_from_db(fields=["asked_at"])
    until = made.until.isoformat(timespec="seconds") if made.until else ""
    after = {"state": str(state), "kind": str(kind), "finding": str(finding), "scope": made.scope, "until": until}
    verb = "asked" if state == DecisionState.ASKED else "made"
    scope = finding.series.project.scope
    current().record(f"decision.{verb}", made.subject, after=after, reason=made.reason, scope=scope)
    DECISION.announce(made)
    return made


def _end_in_time(decision: Decision) -> None:
    """A job that ends it then; the same for one that nobody gave until then."""
    if decision.until is None:
        raise ValueError(f"{decision} has no end.")
    seconds = max(0.0, (decision.until - clock.now()).total_seconds())
    scope = decision.finding.series.project.scope
    queue.enqueue(
        DUE_KIND, subject=decision.subject, unique_key=decision.subject, audience=scope, delay_seconds=seconds
    )


def _end_standing(finding: Finding, reason: str) -> None:
    _end_all(standing().filter(finding=finding), reason)


def _end_all(rows: QuerySet[Decision], reason: str) -> None:
    found = list(rows.order_by("pk"))
    if found:
        DECISION.move_all(Change(row, "end", {"end_reason": reason[:END_CHARS]}, reason) for row in found)
        Decision.objects.filter(pk__in=[row.pk for row in found]).update(ended_at=Wall())


def _refuse(problem: str) -> None:
    if problem:
        raise Refused(problem)


def _answer(reason: str) -> str:
    """A reason as it is kept. Raises ``Refused``."""
    words = _storable(reason)
    if is_unseen(words):
        raise Refused("Say why: the reason is what the next reader has.")
    if len(words) > REASON_CHARS:
        raise Refused(f"A reason has at most {REASON_CHARS:,} characters (you sent {len(words):,}).")
    return words


def _storable(text: str) -> str:
    if not is_storable(text):
        raise Refused("The words hold a NUL or half a character (a lone surrogate), which no database keeps.")
    return text.strip()
