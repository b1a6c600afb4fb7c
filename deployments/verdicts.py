"""May this commit ship? A policy's answer, frozen with all that it saw: a deployment and a merge ask the same one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from urllib.parse import urlencode

from django.db.models import F, Max, Q, QuerySet

from deployments.models import Environment, Policy, Verdict
from portal.core.clock import Wall
from reviews import decisions, standing
from reviews.models import (
    Ballot,
    Council,
    CouncilState,
    Decision,
    Edge,
    Evidence,
    Finding,
    FindingState,
    Severity,
)
from reviews.queries import councils
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
    finding holds as an open one does. ``council``: whether a council on the
    very commit must have said ship.
    """

    number: int
    severities: tuple[str, ...]
    valid_hours: int
    ages: Mapping[str, int] = field(default_factory=dict)
    categories: tuple[str, ...] = ()
    checks: bool = False
    waived_holds: bool = False
    council: bool = False


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
        policy.council,
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
    if policy.council:
        said.append("a commit of which no council says ship")
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
    rows = Finding.objects.filter(named(policy), series__project=project)
    looking = Looking(project, policy, commit, _commits_of(subject), fixes_of(rows))
    looking.waived = waived_in(project, environment, policy) if environment else {}
    for finding in standing.with_newest(rows.select_related("ticket")).order_by("pk"):
        looking.look_at(finding)
    if policy.checks:
        looking.look_at_checks(list(checks_on([project], [commit])))
    if policy.council:
        looking.look_at_council(councils.newest_on(project, commit))
    return Verdict(
        project=project,
        commit=commit,
        merges=sorted(subject.merges) if subject else [],
        policy=policy.number,
        digest=looking.digest,
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


def named(policy: InForce) -> Q:
    """The findings that a verdict looks at: those that hold while they are open; and the fixed ones of the
    severities, whose fix must be in the commit."""
    waiting = [FindingState.OPEN, *([FindingState.WAIVED] if policy.waived_holds else [])]
    found = Q(severity__in=policy.severities)
    for severity, days in policy.ages.items():
        found |= Q(severity=severity, created_at__lte=Wall(-days * 86_400))
    for word in policy.categories:
        found |= Q(category__icontains=word)
    fixed = Q(state=FindingState.FIXED, severity__in=policy.severities)
    return found & Q(state__in=waiting) | fixed


class Looking:
    """One look at the findings of a project, by a policy, for a commit; ``fixes`` is what ``fixes_of`` found.

    ``held``: the merged commits that the commit holds.
    """

    def __init__(
        self, project: Project, policy: InForce, commit: str, held: Collection[str], fixes: Mapping[int, list[str]]
    ) -> None:
        self.project, self.policy, self.commit = project, policy, commit
        self.held, self.fixes = set(held), fixes
        self.seen: list[list[Any]] = []
        self.reasons: list[dict[str, Any]] = []
        self.blocking: list[int] = []
        # of what holds: whether for each there is a fix, only not in this commit
        self.fixes_are_there = True
        self.checks_hold = False
        self.council_holds = False
        # of open findings, in the environment that is asked about: they are seen, and hold nothing there
        self.waived: Mapping[int, Decision] = {}

    @property
    def answer(self) -> Answer:
        if not self.blocking and not self.checks_hold and not self.council_holds:
            return Answer.SHIP
        after = self.fixes_are_there and not self.checks_hold and not self.council_holds
        return Answer.SHIP_AFTER if after else Answer.DO_NOT_SHIP

    @property
    def digest(self) -> str:
        """Of all that was seen."""
        return hashlib.sha256(json.dumps([self.policy.number, self.seen]).encode()).hexdigest()

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

    def look_at_checks(self, outcomes: Sequence[CheckRun]) -> None:
        """The checks that the portal ran on the result of accepted work, where the commit is that result."""
        failed = [run for run in outcomes if run.outcome != CheckRun.Outcome.PASSED]
        self.seen.append(["checks", *[[run.pk, run.outcome] for run in outcomes]])
        self.checks_hold = not outcomes or bool(failed)
        if self.checks_hold:
            here = self.commit[:9] or "the project"
            text = f"{failed[0]} did not pass on {here}" if failed else f"No checks are known to have run on {here}"
            lift = "mend it, and accept the work: the checks run on its result"
            self.reasons.insert(0, {"finding": 0, "text": text, "lift": lift, "ticket": ""})

    def look_at_council(self, council: Council | None) -> None:
        """The newest council on this very commit, which says ship once it is closed; of another commit none counts."""
        outcome = council.outcome if council and council.state == CouncilState.CLOSED else ""
        self.seen.append(["council", council.pk if council else 0, outcome])
        self.council_holds = outcome != Ballot.SHIP
        if not self.council_holds:
            return
        here = self.commit[:9] or "this commit"
        if council is None:
            query = urlencode({"project": self.project.key, "about": "branch", "asked_for": self.commit})
            text, lift, url = f"No council has looked at {here}", "ask one", f"/reviews/councils/new/?{query}"
        elif council.state != CouncilState.CLOSED:
            text, lift = f"{council} on {here} is not closed".capitalize(), "answer it, vote, and close it"
            url = council.get_absolute_url()
        else:
            said = council.get_outcome_display().lower() if outcome else "nothing, for want of votes"
            text, lift = f"{council} says {said} of {here}".capitalize(), "mend it, and ask about that commit"
            url = council.get_absolute_url()
        said_so = {"finding": 0, "text": text, "lift": lift, "ticket": "", "url": url}
        self.reasons.insert(0, said_so | {"council": council.pk if council else -1})


def checks_on(projects: Iterable[Project], commits: Collection[str]) -> QuerySet[CheckRun]:
    """The checks of the newest merge of a project whose result one of these commits is.

    With its ``commit`` and the number of its ``project``.
    """
    merges = Merge.objects.filter(ticket__project__in=projects, state=MergeState.MERGED, merged_commit__in=commits)
    newest = merges.order_by().values("ticket__project", "merged_commit").annotate(newest=Max("pk")).values("newest")
    runs = CheckRun.objects.filter(attempt__merges__in=newest)
    of = {"commit": F("attempt__merges__merged_commit"), "project": F("attempt__merges__ticket__project")}
    return runs.annotate(**of).order_by("n")


def fixes_of(findings: QuerySet[Finding]) -> dict[int, list[str]]:
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
