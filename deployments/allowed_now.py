"""Would what stands somewhere be let go there today? All releases of a page judged at once, and nothing stored."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Case, Max, Q, Value, When

from deployments import verdicts
from deployments.models import Environment, Policy, Release, Verdict
from deployments.verdicts import InForce, Looking
from portal.core.clock import Wall
from reviews import decisions, standing
from reviews.models import Decision, Finding
from reviews.queries import councils
from tickets.models import Merge, Project

# findings that are read, of all projects together; and how often one is held against a release
FINDINGS_READ: Final = 2000
LOOKS: Final = 50_000
Answer = Verdict.Answer


@dataclass(frozen=True, slots=True)
class Now:
    """The answer of now for a release in an environment. ``answer`` is empty where there was too much to look at.

    ``stale``: the newest verdict on its commit saw something else, or its time is over; None: it was never judged.
    """

    answer: str = ""
    findings: int = 0
    checks: bool = False
    stale: bool | None = None
    council: bool = False

    @property
    def go(self) -> bool:
        return self.answer == Answer.SHIP

    @property
    def said(self) -> str:
        """In a few words, for a badge."""
        if self.go:
            return "May ship"
        held = [f"{self.findings} finding{'s' * (self.findings != 1)}"] if self.findings else []
        held += ["checks"] if self.checks else []
        held += ["council"] if self.council else []
        return f"{Answer(self.answer).label}: {', '.join(held)}" if self.answer else "Not looked at"


Key = tuple[int, int]


def of(asked: Iterable[tuple[Release, Environment]]) -> dict[Key, Now]:
    """By release and environment; in as many statements for many as for one.

    Releases come with their service and its project. What is waived in one
    environment alone is asked there alone.
    """
    wanted = list(asked)
    if not wanted:
        return {}
    facts = _Facts({release.service.project for release, _ in wanted}, {release for release, _ in wanted})
    return {(release.pk, environment.pk): facts.now(release, environment) for release, environment in wanted}


class _Facts:
    """What the projects' verdicts are made of, read once."""

    def __init__(self, projects: Collection[Project], releases: Collection[Release]) -> None:
        self.policies = _policies(projects)
        self.findings, self.too_many = self._findings(projects)
        self.held = _held(releases, {commit for commits in self.fixes.values() for commit in commits})
        self.waived = _waived(projects)
        self.checks = self._checks(projects, {release.commit for release in releases})
        asked = [project for project in projects if self.policies[project.pk].council]
        self.councils = councils.newest_of(asked, {release.commit for release in releases}) if asked else {}
        self.judged = _judged(projects, {release.commit for release in releases})
        self.looks = LOOKS
        self.known: dict[tuple[int, str], Looking] = {}

    def _findings(self, projects: Collection[Project]) -> tuple[dict[int, list[Any]], set[int]]:
        """By project; and those of whose findings not all were read."""
        chosen = Q(pk__in=[])
        for project in projects:
            chosen |= Q(verdicts.named(self.policies[project.pk]), series__project=project)
        rows = Finding.objects.filter(chosen)
        self.fixes = verdicts.fixes_of(rows)
        read = standing.with_newest(rows.select_related("ticket", "series")).order_by("series__project", "pk")
        found: dict[int, list[Any]] = {project.pk: [] for project in projects}
        listed = list(read[: FINDINGS_READ + 1])
        for finding in listed:
            found[finding.series.project_id].append(finding)
        if len(listed) <= FINDINGS_READ:
            return found, set()
        last = listed[-1].series.project_id
        return found, {pk for pk in found if pk >= last}

    def _checks(self, projects: Collection[Project], commits: Collection[str]) -> dict[tuple[int, str], list[Any]]:
        asked = [project for project in projects if self.policies[project.pk].checks]
        found: dict[tuple[int, str], list[Any]] = {}
        for run in verdicts.checks_on(asked, commits) if asked else ():
            found.setdefault((run.project, run.commit), []).append(run)  # type: ignore[attr-defined]
        return found

    def now(self, release: Release, environment: Environment) -> Now:
        project = release.service.project_id
        if project in self.too_many:
            return Now()
        looking = self._look(release, environment.name)
        if looking is None:
            return Now()
        held = (looking.checks_hold, self._stale(release, looking), looking.council_holds)
        return Now(looking.answer, len(looking.blocking), *held)

    def _look(self, release: Release, place: str) -> Looking | None:
        """The same for each environment in which nothing is waived."""
        project = release.service.project
        waived = self.waived.get((project.pk, place), {})
        key = (release.pk, place if waived else "")
        if key not in self.known:
            findings = self.findings[project.pk]
            self.looks -= len(findings)
            if self.looks < 0:
                return None
            policy = self.policies[project.pk]
            looking = Looking(project, policy, release.commit, self.held.get(release.pk, set()), self.fixes)
            looking.waived = {} if policy.waived_holds else waived
            for finding in findings:
                looking.look_at(finding)
            if policy.checks:
                looking.look_at_checks(self.checks.get((project.pk, release.commit), []))
            if policy.council:
                looking.look_at_council(self.councils.get((project.pk, release.commit)))
            self.known[key] = looking
        return self.known[key]

    def _stale(self, release: Release, looking: Looking) -> bool | None:
        """Judged for another environment, the verdict saw what is waived there: that alone makes it no older."""
        found = self.judged.get((release.service.project_id, release.commit))
        if found is None:
            return None
        digest, over = found
        places = {place for project, place in self.waived if project == release.service.project_id} | {""}
        elsewhere = (self._look(release, place) for place in places)
        return over or digest not in {looking.digest, *(one.digest for one in elsewhere if one)}


def _policies(projects: Collection[Project]) -> dict[int, InForce]:
    newest = Policy.objects.filter(project__in=projects).order_by().values("project").annotate(newest=Max("pk"))
    rows = Policy.objects.filter(pk__in=newest.values("newest"))
    found = {row.project_id: verdicts.in_force(row) for row in rows}
    return {project.pk: found.get(project.pk, verdicts.OWN) for project in projects}


def _held(releases: Iterable[Release], fixes: Collection[str]) -> dict[int, set[str]]:
    """By release, which of these commits it holds."""
    rows = Merge.objects.filter(merged_commit__in=fixes).values_list("pk", "merged_commit") if fixes else ()
    commits = dict(rows)
    return {release.pk: {commits[merge] for merge in release.merges if merge in commits} for release in releases}


def _waived(projects: Collection[Project]) -> Mapping[tuple[int, str], dict[int, Decision]]:
    """By project and environment, what lifts open findings there alone."""
    found: dict[tuple[int, str], dict[int, Decision]] = {}
    for decision in decisions.waived_in_places(projects).select_related("finding__series"):
        found.setdefault((decision.finding.series.project_id, decision.scope), {})[decision.finding_id] = decision
    return found


def _judged(projects: Collection[Project], commits: Collection[str]) -> dict[tuple[int, str], tuple[str, bool]]:
    """By project and commit, what the newest verdict saw, and whether its time is over."""
    rows = Verdict.objects.filter(project__in=projects, commit__in=commits)
    newest = rows.order_by().values("project", "commit").annotate(newest=Max("pk")).values("newest")
    over = Case(When(valid_until__lte=Wall(), then=Value(True)), default=Value(False))
    found = Verdict.objects.filter(pk__in=newest).annotate(over=over)
    return {(row.project_id, row.commit): (row.digest, bool(row.over)) for row in found.defer("reasons", "blocking")}
