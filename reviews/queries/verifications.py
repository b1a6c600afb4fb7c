"""The checks of a review with the command that each names, whether it is allowed, and how the portal's runs ended."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from django.db.models import QuerySet
from django.db.models.functions import Right

from reviews import check_commands, verifying
from reviews.models import AllowedCommand, Check, Finding, Review, Verification, VerificationState

RUNS_SHOWN: Final = 3
RUNS_READ: Final = 300
OUTPUT_SHOWN: Final = 4000


class ShownCheck(NamedTuple):
    check: Check
    # empty where none can be run without a shell
    command: str
    allowed: AllowedCommand | None
    # the newest first
    runs: list[Verification]


def of_checks(review: Review, checks: Sequence[Check]) -> list[ShownCheck]:
    if not checks:
        return []
    commands = {check.pk: check_commands.of_check(check) for check in checks}
    allowed = verifying.allowed_of(review.series.project, filter(None, commands.values()))
    runs: dict[str, list[Verification]] = {}
    for run in runs_of(review)[:RUNS_READ]:
        some = runs.setdefault(run.command, [])
        if len(some) < RUNS_SHOWN:
            some.append(run)
    return [
        ShownCheck(check, command, allowed.get(command), runs.get(command, []) if command else [])
        for check in checks
        for command in [commands[check.pk]]
    ]


def runs_of(review: Review) -> QuerySet[Verification]:
    """Its runs, the newest first, each with the ``end`` of its output."""
    rows = Verification.objects.filter(review=review).select_related("asked_by").defer("output")
    return rows.annotate(end=Right("output", OUTPUT_SHOWN)).order_by("-pk")


def proofs(review: Review, findings: Iterable[Finding]) -> dict[int, list[Verification]]:
    """By finding, the newest run of each check that names its reference: measured, not claimed."""
    bearers = {finding.reference: finding.pk for finding in findings if finding.reference}
    if not bearers:
        return {}
    newest: dict[str, Verification] = {}
    for run in runs_of(review).filter(state=VerificationState.ENDED)[:RUNS_READ]:
        newest.setdefault(run.command, run)
    if not newest:
        return {}
    named = re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, sorted(bearers, key=len, reverse=True)))})(?![\w-])")
    found: dict[int, list[Verification]] = {}
    for check in Check.objects.filter(review=review).order_by("n"):
        proof = newest.get(check_commands.of_check(check))
        if proof is None:
            continue
        for reference in dict.fromkeys(named.findall(f"{check.name} {check.detail}")):
            some = found.setdefault(bearers[reference], [])
            if proof not in some:
                some.append(proof)
    return found
