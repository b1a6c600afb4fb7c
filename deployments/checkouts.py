"""The files of a commit, as a deployment's commands find them on this machine: made once, removed with its end."""

from __future__ import annotations

import secrets
import shutil
from contextlib import suppress
from pathlib import Path

from django.conf import settings

from deployments.models import ENDED_STATES, Deployment, Step
from portal.core import limits
from tickets import clones
from tickets.pristine import pristine
from workers.failures import BadInput


def folder() -> Path:
    found: Path = settings.DATA_DIR / "deployments"
    found.mkdir(mode=0o700, parents=True, exist_ok=True)
    return found


def place_of(step: Step) -> Path:
    """Where the step's commands run: the files of its commit; an empty folder where there is no repository.

    Made under another name until it is whole, so that what has the name can
    be believed. Raises ``BadInput`` where the commit is gone, or ``GitFailed``.
    """
    project = step.deployment.service.project
    own = folder() / str(step.deployment_id)
    place = own / (step.commit or "bare")
    if place.is_dir():
        return place
    own.mkdir(mode=0o700, exist_ok=True)
    half = own / f".{secrets.token_hex(8)}"
    half.mkdir(mode=0o700)
    try:
        if project.repository and step.commit:
            _lay_out(step, half)
        # Another attempt may have made it meanwhile.
        with suppress(OSError):
            half.rename(place)
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return place


def _lay_out(step: Step, half: Path) -> None:
    fetched = clones.fetched(step.deployment.service.project)
    with pristine(fetched.path) as objects:
        if objects.run("cat-file", "-e", f"{step.commit}^{{commit}}").code != 0:
            raise BadInput(f"The commit {step.commit[:12]} is not in the repository any more.")
        objects.at(step.commit, half).git("checkout-index", "--all", "--force", seconds=limits.value("CLONE_SECONDS"))


def clear() -> int:
    """Remove what ended deployments left on this machine; returns how many."""
    found = {int(path.name): path for path in folder().iterdir() if path.name.isdecimal()}
    live = Deployment.objects.filter(pk__in=found).exclude(state__in=ENDED_STATES).values_list("pk", flat=True)
    gone = found.keys() - set(live)
    for number in gone:
        shutil.rmtree(found[number], ignore_errors=True)
    return len(gone)
