"""May this commit ship? A policy's answer, frozen with all that it saw: a deployment and a merge ask the same one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from django.db.models import Q, QuerySet

from deployments.models import Environment, Policy, Verdict
from portal.core.clock import Wall
from reviews import decisions, standing
from reviews.models import Decision, Edge, Evidence, Finding, FindingState, Severity
from tickets.models import CheckRun, Merge, MergeState, Project

HOLDING: Final = (Severity.CRITICAL,)
VALID_HOURS: Final = 24
REASONS_SHOWN: Final = 50
Answer = Verdict.Answer


# The policy -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class InForce:
    """The policy that a verdict is made by; ``number`` 0 is the installation's own.

    ``ages``: days by severity, after which an open finding holds although its
    severity alone does not. ``categories``: words in the category of an open
    finding that hold whatever its severity. ``checks``: whether the project's
    checks must have passed on the commit. ``waived_holds``: whether a waived
    finding holds as an open one does.
    """

    number: int
    severities: tuple[str, ...]
    valid_hours: int
    ages: Mapping[str, int] = field(default_factory=dict)
    categories: tuple[str, ...] = ()
    checks: bool = False
    waived_holds: bool = False


# Of every project that has none of its own: one critical finding is enough.
OWN: Final = InForce(0, tuple(str(severity) for severity in HOLDING), VALID_HOURS)


def policy_of(project: Project) -> InForce:
    found = Policy.objects.filter(project=project).order_by("-number").first()
    return OWN if found is None else in_force(found)


def in_force(policy: Policy) -> InForce:
    return InForce(
        policy.number,
        tuple(policy.severities),
        policy.valid_hours,
        dict(policy.ages),
        tuple(policy.categories),
        policy.checks,
        policy.waived_holds,
    )


def in_words(policy: InForce) -> list[str]:
    """What holds, a sentence's part each; none: nothing does."""
    names = [str(Severity(severity).label).lower() for severity in Severity.values if severity in policy.severities]
    said = [f"a finding that is {' or '.join(names)}"] if names else []
    for severity in Severity.values:
        if (days := policy.ages.get(severity)) is not None:
            said.append(f"one that is {Severity(severity).label.lower()} and open for {days} day{'s' * (days != 1)}")
    if policy.categories:
        said.append(f"one in a category with {' or '.join(f'“{word}”' for word in policy.categories)}")
    if policy.checks:
        said.append("a commit on which the project’s checks were not seen to pass")
    if policy.waived_holds and said:
        said.append("a waived finding as if it were open")
    return said


# The verdict ------------------------------------------------------------------


class Subject(Protocol):
    """What is judged: a commit, and the accepted merges of the project that it holds. A release is one."""

    @property
    def commit(self) -> str: ...

    @property
    def merges(self) -> Iterable[int]: ...


def judge(project: Project, subject: Subject | None = None, *, environment: Environment | None = None) -> Verdict:
    """Look at the findings now: the answer for the subject's commit, not stored yet.

    A finding that the policy names holds while it is open, and while it is
    fixed by accepted work that the commit does not hold. ``environment``: what
    is waived there alone does not hold there.
    """
    policy = policy_of(project)
    commit = subject.commit if subject else ""
    looking = _Looking(project, policy, commit, _commits_of(subject))
    looking.waived = waived_in(project, environment, policy) if environment else {}
    for finding in looking.findings():
        looking.look_at(finding)
    if policy.checks:
        looking.look_at_checks()
    return Verdict(
        project=project,
        commit=commit,
        merges=sorted(subject.merges) if subject else [],
        policy=policy.number,
        digest=hashlib.sha256(json.dumps([policy.number, looking.seen]).encode()).hexdigest(),
        go=looking.answer == Answer.SHIP,
        answer=looking.answer,
        blocking=looking.blocking,
        reasons=looking.reasons,
        valid_until=Wall(policy.valid_hours * 3600),
    )


def waived_in(project: Project, environment: Environment, policy: InForce | None = None) -> dict[int, Decision]:
    """What lifts open findings in this environment alone, by the finding's id; nothing, where waivers do not count."""
    if (policy or policy_of(project)).waived_holds:
        return {}
    return decisions.waived_in(project, environment.name)


class _Looking:
    """One look at the findings of a project, by a policy, for a commit."""

    def __init__(self, project: Project, policy: InForce, commit: str, held: set[str]) -> None:
        self.project, self.policy, self.commit, self.held = project, policy, commit, held
        self.seen: list[list[Any]] = []
        self.reasons: list[dict[str, Any]] = []
        self.blocking: list[int] = []
        # of what holds: whether for each there is a fix, only not in this commit
        self.fixes_are_there = True
        self.checks_hold = False
        self.fixes: dict[int, list[str]] = {}
        # of open findings, in the environment that is asked about: they are seen, and hold nothing there
        self.waived: dict[int, Decision] = {}

    @property
    def answer(self) -> Answer:
        if not self.blocking and not self.checks_hold:
            return Answer.SHIP
        return Answer.SHIP_AFTER if self.fixes_are_there and not self.checks_hold else Answer.DO_NOT_SHIP

    def findings(self) -> QuerySet[Finding]:
        rows = Finding.objects.filter(series__project=self.project).filter(self._named())
        self.fixes = _fixes(rows)
        return standing.with_newest(rows.select_related("ticket")).order_by("pk")

    def _named(self) -> Q:
        """Those that hold while they are open; and the fixed ones of the severities, whose fix must be in."""
        waiting = [FindingState.OPEN, *([FindingState.WAIVED] if self.policy.waived_holds else [])]
        found = Q(severity__in=self.policy.severities)
        for severity, days in self.policy.ages.items():
            found |= Q(severity=severity, created_at__lte=Wall(-days * 86_400))
        for word in self.policy.categories:
            found |= Q(category__icontains=word)
        fixed = Q(state=FindingState.FIXED, severity__in=self.policy.severities)
        return found & Q(state__in=waiting) | fixed

    def look_at(self, finding: Finding) -> None:
        commits = self.fixes.get(finding.pk, [])
        fixed = finding.state == FindingState.FIXED
        elsewhere = fixed and bool(commits) and not self.held.intersection(commits)
        claimed = not fixed and standing.standing(finding) == standing.CLAIMED
        waiver = self.waived.get(finding.pk)
        self.seen.append([finding.pk, finding.version, elsewhere, claimed, *([waiver.pk] if waiver else [])])
        if fixed and not elsewhere:
            return
        if waiver is not None:
            return
        self.blocking.append(finding.pk)
        self.fixes_are_there = self.fixes_are_there and (elsewhere or claimed)
        if len(self.reasons) < REASONS_SHOWN:
            self.reasons.append(self._reason(finding, commits[0] if elsewhere else "", claimed=claimed))

    def _reason(self, finding: Finding, elsewhere: str, *, claimed: bool) -> dict[str, Any]:
        name = finding.reference or finding.title
        ticket = finding.ticket.key if finding.ticket else ""
        if elsewhere:
            here = self.commit[:9] or "this commit"
            text = f"{name} is fixed in {elsewhere[:9]}, which {here} does not hold: {finding.title}"
            lift = "deploy a commit that holds the fix"
        else:
            text = f"{name} is {finding.state} ({finding.severity}): {finding.title}"
            lift = f"accept {ticket}, or answer the finding" if ticket else "make it a ticket, or answer it"
            if claimed:
                lift = f"accept {ticket}: its fix is claimed" if ticket else lift
        return {"finding": finding.pk, "text": text, "lift": lift, "ticket": ticket}

    def look_at_checks(self) -> None:
        """The checks that the portal ran on the result of accepted work, where the commit is that result."""
        merge = Merge.objects.filter(
            ticket__project=self.project, state=MergeState.MERGED, merged_commit=self.commit or "-"
        ).last()
        outcomes = list(CheckRun.objects.filter(attempt=merge.attempt_id).order_by("n")) if merge else []
        failed = [run for run in outcomes if run.outcome != CheckRun.Outcome.PASSED]
        self.seen.append(["checks", *[[run.pk, run.outcome] for run in outcomes]])
        self.checks_hold = not outcomes or bool(failed)
        if self.checks_hold:
            here = self.commit[:9] or "the project"
            text = f"{failed[0]} did not pass on {here}" if failed else f"No checks are known to have run on {here}"
            lift = "mend it, and accept the work: the checks run on its result"
            self.reasons.insert(0, {"finding": 0, "text": text, "lift": lift, "ticket": ""})


def _fixes(findings: QuerySet[Finding]) -> dict[int, list[str]]:
    """The commits that hold the accepted work on each fixed finding, the newest first."""
    rows = Evidence.objects.filter(edge=Edge.COMMIT, finding__in=findings.filter(state=FindingState.FIXED).values("pk"))
    found: dict[int, list[str]] = {}
    for finding, ref in rows.order_by("-at", "-pk").values_list("finding", "ref"):
        found.setdefault(finding, []).append(ref)
    return found


def _commits_of(subject: Subject | None) -> set[str]:
    if subject is None:
        return set()
    return set(Merge.objects.filter(pk__in=list(subject.merges)).values_list("merged_commit", flat=True))


def is_stale(verdict: Verdict, now: Verdict) -> bool:
    """Whether ``now``, just judged, saw something else, or the verdict's time is over."""
    over = verdict.pk is not None and Verdict.objects.filter(pk=verdict.pk, valid_until__lte=Wall()).exists()
    return verdict.digest != now.digest or over
