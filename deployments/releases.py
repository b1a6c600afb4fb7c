"""Releases: made once for their content, and measured for the accepted work that they hold."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from django.db.models import Max

from deployments import intake, proof
from deployments.commits import Commit
from deployments.models import PipelineStep, Release, Service
from portal.core.unit import Pointer, current
from reviews.models import Finding, FindingState

OPEN_KEPT: Final = 1000


def build(service: Service, commit: Commit) -> Release:
    """The release of this commit and of the pipeline as it is now; made where there is none.

    Call it in a unit of work.
    """
    # Two that prepare the same at once: the second finds what the first made.
    Service.objects.select_for_update().get(pk=service.pk)
    pipeline = pipeline_of(service)
    digest = hashlib.sha256(json.dumps([service.pk, commit.name, pipeline], sort_keys=True).encode()).hexdigest()
    known = Release.objects.filter(service=service, digest=digest).first()
    if known is not None:
        known.service = service
        measured(known, commit.merges)
        return known
    newest = Release.objects.filter(service=service).aggregate(newest=Max("number"))["newest"] or 0
    release = Release.objects.create(
        service=service,
        number=newest + 1,
        digest=digest,
        commit=commit.name,
        title=commit.title,
        pipeline=pipeline,
        open_findings=_open_findings(service),
        merges=sorted(commit.merges),
    )
    work = current()
    work.record("release.made", release.subject, after={"name": str(release), "commit": commit.name, "digest": digest})
    work.announce(service.project.scope, Pointer("release", release.subject, 1))
    return release


def pipeline_of(service: Service) -> list[dict[str, Any]]:
    """The steps as a release keeps them."""
    fields = ("kind", "name", "command", "undo", "probe", "url", "instructions", "wall_seconds", "again")
    rows = PipelineStep.objects.filter(service=service).order_by("n").values(*fields, *intake.DETAILS)
    return [{name: row[name] for name in fields} | intake.told(row) for row in rows]


def measured(release: Release, merges: frozenset[int]) -> None:
    """Keep what was found in the release; a commit's content never shrinks, what is known of it grows."""
    if merges <= set(release.merges):
        return
    # Two who measured at once must not write over each other.
    known = Release.objects.select_for_update(no_key=True).values_list("merges", flat=True).get(pk=release.pk)
    release.merges = sorted({*known, *merges})
    Release.objects.filter(pk=release.pk).update(merges=release.merges)
    proof.grew(release, merges.difference(known))


def _open_findings(service: Service) -> list[int]:
    rows = Finding.objects.filter(series__project=service.project_id, state=FindingState.OPEN)
    return list(rows.order_by("-pk").values_list("pk", flat=True)[:OPEN_KEPT])
