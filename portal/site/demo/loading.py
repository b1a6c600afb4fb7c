"""Loading the demo: through the product's own functions, once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from django.conf import settings

from portal.core import cause, identifiers
from portal.core.lifecycle import Refused
from portal.core.models import Activity, User
from portal.core.unit import unit_of_work
from portal.site.demo import folders, history, shipping, team
from reviews import answers, applying, documents
from reviews.models import Finding, Review
from tickets import projects
from tickets.models import Project, ProjectCounter
from tickets.work import create_project

KEY: Final = "DEMO"
NAME: Final = "Harbour lights (demo)"
SERIES: Final = "Harbour lights"
LOADED: Final = "demo.loaded"
DOCUMENTS: Final = Path(__file__).with_name("documents")
ALLOWED_PATHS: Final = ("harbour/", "migrations/", "README.md")
ACTOR: Final = cause.Actor("command", "demo", "manage.py demo")


def find(key: str = KEY) -> Project | None:
    """The demo's project, if it is loaded: history knows by whom a project was made."""
    project = Project.objects.filter(key=key).first()
    if project is None or not Activity.objects.filter(subject=project.scope, verb=LOADED).exists():
        return None
    return project


def load() -> tuple[Project, bool]:
    """``(project, made)``. What is there is left as it is; files that were lost are made anew.

    Raises ``Refused`` where something stands in its way, ``HostFailed`` where
    the service could not be put in its places.
    """
    with cause.acting(ACTOR):
        known = find()
        project = known or _make()
        if not folders.repository().is_dir():
            folders.folder().mkdir(mode=0o700, exist_ok=True)
            history.make(folders.repository())
        if not folders.state().exists():
            shipping.begin(project)
    return project, known is None


def owner_of(key: str) -> User:
    """Who owns it: the first admin. Raises ``Refused`` where it cannot be loaded."""
    if Project.objects.filter(key=key).exists():
        raise Refused(f"There is a project {key} that is not the demo's, and the demo needs that key.")
    most = settings.SOCKET_PATH_MAX_BYTES
    if len(str(folders.socket()).encode()) > most:
        raise Refused(f"DATA_DIR is too deep for the demo: the path of a socket in it would exceed {most} bytes.")
    owner = User.objects.filter(is_superuser=True, is_active=True).order_by("pk").first()
    if owner is None:
        raise Refused("There is no admin yet who could own the demo. Run manage.py prepare first.")
    return owner


def _make() -> Project:
    """All rows in one transaction: it is loaded, or it is not."""
    owner = owner_of(KEY)
    with unit_of_work() as work:
        project = create_project(key=KEY, name=NAME, repository=str(folders.repository()), owner=owner)
        identifiers.raise_to(ProjectCounter, pk=project.pk, number=_last_number())
        projects.change(
            project,
            expected_version=project.version,
            target_branch=history.BRANCH,
            checks=[[shipping.python(), "-B", "-m", "unittest"]],
            allowed_paths=list(ALLOWED_PATHS),
        )
        agents = team.make()
        shipping.add_places(project)
        _review(project)
        work.record(LOADED, project.scope, after={"agents": [agent.pk for agent in agents]}, scope=project.scope)
    return project


def _last_number() -> int:
    """The highest number that a ticket of an earlier demo had: none is given twice."""
    names = Activity.objects.filter(subject__startswith=f"ticket:{KEY}-").values_list("subject", flat=True).distinct()
    return max((int(found[1]) for name in names if (found := re.fullmatch(rf"ticket:{KEY}-(\d+)", name))), default=0)


def _review(project: Project) -> None:
    """The first look is applied, and each of its findings is a ticket; the second is read, and waits for a person."""
    first = _upload(project, "first-look.md")
    applying.apply(first)
    answers.make_tickets(Finding.objects.filter(occurrences__review=first).order_by("pk"))
    _upload(project, "second-look.md")


def _upload(project: Project, name: str) -> Review:
    content = (DOCUMENTS / name).read_bytes()
    review, _ = documents.receive(project, series_name=SERIES, content=content, file_name=name)
    return documents.read_now(review)
