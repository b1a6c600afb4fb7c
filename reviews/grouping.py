"""Findings that one ticket may hold: those in one file, of one rule, or of one title."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from reviews.matching import path_of
from reviews.models import Finding

FILE: Final = "file"
RULE: Final = "rule"
TITLE: Final = "title"


class Group(NamedTuple):
    """Findings of one project for one ticket; ``title`` is empty for a finding that shares nothing with another."""

    title: str
    findings: list[Finding]


def groups(findings: Iterable[Finding], by: str) -> list[Group]:
    """The findings by what they share, each group where its first finding stands.

    A finding without a file, or without a rule, is a group of its own, and so
    is one that no other shares with.
    """
    name_of, title_of = _WAYS[by]
    found: dict[tuple[int, str], list[Finding]] = {}
    for finding in findings:
        name = name_of(finding)
        # what names nothing is shared with nobody
        found.setdefault((finding.series.project_id, name or f"\0{finding.pk}"), []).append(finding)
    return [Group(title_of(held, name_of(held[0])) if len(held) > 1 else "", held) for held in found.values()]


def _file(finding: Finding) -> str:
    return path_of(str(finding.files[0])) if finding.files else ""


def _rule(finding: Finding) -> str:
    return finding.rule.strip()


def _title(finding: Finding) -> str:
    return " ".join(finding.title.split()).casefold()


def _in_file(findings: list[Finding], name: str) -> str:
    return f"{len(findings)} findings in {name}"


def _of_rule(findings: list[Finding], name: str) -> str:
    return f"{len(findings)} findings of {name}"


def _of_title(findings: list[Finding], name: str) -> str:
    return " ".join(findings[0].title.split())


_WAYS: Final[dict[str, tuple[Callable[[Finding], str], Callable[[list[Finding], str], str]]]] = {
    FILE: (_file, _in_file),
    RULE: (_rule, _of_rule),
    TITLE: (_title, _of_title),
}
WAYS: Final = tuple(_WAYS)
