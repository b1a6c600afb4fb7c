"""Taking the demo away: its rows and its files. History stays, as it does for everything."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from django.conf import settings

from deployments import checkouts
from deployments.models import Deployment
from portal.core import cause
from portal.core.lifecycle import Refused
from portal.core.models import Activity, Notification
from portal.core.unit import UnitOfWork, unit_of_work
from portal.live.models import Stream
from portal.site.demo import folders, hosting, itself, rows
from portal.site.demo.loading import ACTOR, KEY, LOADED, find
from reviews.models import Review
from tickets.models import Project, Ticket
from workers.models import Agent, AgentVersion, Breaker, Job, JobState, Lane, Trial

REMOVED: Final = "demo.removed"
NAMED: Final = 5
_KEYS: Final = (KEY, itself.KEY)
# What an agent may have about it and still be the demo's alone.
_OWN_OF_AGENTS: Final = frozenset({Agent, AgentVersion, Breaker, Trial})


def remove() -> bool:
    """Whether there was something to remove. Raises ``Refused`` while a job of it runs."""
    with cause.acting(ACTOR):
        projects = [project for project in map(find, _KEYS) if project is not None]
        with unit_of_work() as work:
            for project in projects:
                _remove_rows(work, project)
    there = bool(projects) or folders.folder().exists()
    if there:
        # The host lets go of everything before its files go.
        hosting.ask(do="clear")
        _remove_files()
    return there


def _remove_rows(work: UnitOfWork, project: Project) -> None:
    agents = _agents(project)
    jobs = _jobs(project, agents)
    Project.objects.select_for_update().get(pk=project.pk)
    _remove_streams(project)
    lanes = set(Job.objects.filter(pk__in=jobs).exclude(lane="").values_list("lane", flat=True))
    found = rows.below({Project: {project.pk}, Job: set(jobs)})
    Notification.objects.filter(scope=project.scope).delete()
    number = rows.delete(found)
    kept = [agent.name for agent in agents if not _remove_agent(work, agent)]
    # An agent's lane is the agent's, and goes with it.
    Lane.objects.filter(name__in=lanes - {agent.lane for agent in Agent.objects.all()}).delete()
    work.record(REMOVED, project.scope, before={"rows": number, "key": project.key}, after={"agents kept": kept})


def _agents(project: Project) -> list[Agent]:
    said = Activity.objects.filter(subject=project.scope, verb=LOADED).order_by("-pk").values_list("after", flat=True)
    return list(Agent.objects.filter(pk__in=said[0]["agents"]).order_by("pk"))


def _jobs(project: Project, agents: list[Agent]) -> list[int]:
    """The jobs of the project and of its agents' trials, locked. Raises ``Refused`` where one of them runs."""
    trials = Trial.objects.filter(agent_version__agent__in=agents).values_list("pk", flat=True)
    subjects = [f"trial:{pk}" for pk in trials]
    wanted = Job.objects.filter(audience=project.scope) | Job.objects.filter(subject__in=subjects)
    found = list(wanted.order_by("pk").select_for_update())
    running = [job.name for job in found if job.state == JobState.RUNNING]
    if running:
        more = f" and {len(running) - NAMED} more" if len(running) > NAMED else ""
        raise Refused(f"The demo is at work ({', '.join(running[:NAMED])}{more}). Wait for it, or stop it first.")
    return [job.pk for job in found]


def _remove_streams(project: Project) -> None:
    """A page that follows one is told to read all anew, and finds nothing."""
    names = [project.scope]
    names += [f"ticket:{key}" for key in Ticket.objects.filter(project=project).values_list("key", flat=True)]
    for prefix, found in (
        ("review", Review.objects.filter(series__project=project)),
        ("deployment", Deployment.objects.filter(service__project=project)),
    ):
        names += [f"{prefix}:{pk}" for pk in found.values_list("pk", flat=True)]
    Stream.objects.filter(name__in=names).delete()


def _remove_agent(work: UnitOfWork, agent: Agent) -> bool:
    """Gone, or switched off where work outside the demo names it; true where it is gone."""
    found = rows.below({Agent: {agent.pk}})
    if not set(found) <= _OWN_OF_AGENTS:
        Agent.objects.filter(pk=agent.pk).update(enabled=False)
        work.record("agent.switched_off", f"agent:{agent.pk}", reason="The demo is removed; others have used it.")
        return False
    rows.delete(found)
    Lane.objects.filter(name=agent.lane).delete()
    work.record("agent.deleted", f"agent:{agent.pk}", before={"name": agent.name})
    return True


def _remove_files() -> None:
    """Again after a removal that was killed: nothing here asks which rows there were."""
    gone = [folders.folder()]
    data: Path = settings.DATA_DIR
    for key in set(_KEYS) - set(Project.objects.filter(key__in=_KEYS).values_list("key", flat=True)):
        gone += [data / "clones" / f"{key}.git", data / "clones" / f"{key}.lock", data / "homes" / f"checks-{key}"]
        gone += [path for kind in ("workspaces", "homes") for path in (data / kind).glob(f"{key}-*")]
    for path in gone:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    checkouts.clear()
