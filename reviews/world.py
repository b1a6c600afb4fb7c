"""What a series knows that matters for a document: its findings, their names, who spoke of them last, and the code."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from django.db.models import Max

from reviews import regions
from reviews.fingerprints import FILES_COUNTED, REGION, Print, identity, path_of, wanted_of
from reviews.importing.model import ParsedFinding, ParsedReview
from reviews.matching import Code, Known
from reviews.models import Finding, FindingState, Fingerprint, ImportRow, Occurrence, Review

ROWS_AT_ONCE: Final = 2000
_COMMIT: Final = re.compile(r"\b[0-9a-f]{7,64}\b", re.IGNORECASE)
_COLUMNS: Final = (
    "pk",
    "identity",
    "state",
    "title",
    "severity",
    "category",
    "reference",
    "ticket_key",
    "files",
    "ticket_id",
    "rule",
    "merged_into_id",
    "answer",
)


class World(NamedTuple):
    """Findings that are open or share a fingerprint with an item, names in use, who named a finding last, the code."""

    findings: dict[int, Known]
    identities: set[str]
    last_named: dict[int, int]
    code: Code
    # by item number, the fingerprints that it gives to its finding
    prints: list[list[Print]]
    # the commit that the places of the document are places of; empty where it is not known
    commit: str


def look(review: Review, parsed: ParsedReview) -> World:
    """A constant number of queries; what shares no fingerprint with the document, and is not open, is not kept."""
    items = parsed.findings
    # A council asked for a document about one commit: its places are places of that.
    commit = review.subject_commit or commit_of(review, parsed)
    code = _code(review, commit, items)
    own = [wanted_of(item, code.get(n, ())) for n, item in enumerate(items)]
    prints = _prints(review, {print_ for some in own for print_ in some})
    findings, identities = dict[int, Known](), set[str]()
    bases = {identity(item) for item in items}
    for one in _findings(review):
        if one.identity.partition("#")[0] in bases:
            identities.add(one.identity)
        if one.state == FindingState.OPEN or one.pk in prints:
            one.prints = prints.get(one.pk, [])
            findings[one.pk] = one
    said = Occurrence.objects.filter(finding__series=review.series_id).exclude(review=review)
    last = said.values_list("finding").annotate(last=Max("review__number"))
    named = {pk: number for pk, number in last.iterator(ROWS_AT_ONCE) if pk in findings}
    return World(findings, identities, named, Code(code, _gone(review, commit, findings.values())), own, commit)


def _prints(review: Review, wanted: set[Print]) -> dict[int, list[Print]]:
    found: dict[int, list[Print]] = {}
    rows = Fingerprint.objects.filter(finding__series=review.series_id).order_by("pk")
    columns = ("finding_id", "algorithm", "algorithm_version", "value")
    for pk, *values in rows.values_list(*columns).iterator(ROWS_AT_ONCE):
        if (print_ := Print(*values)) in wanted:
            found.setdefault(pk, []).append(print_)
    return found


def _findings(review: Review) -> Iterator[Known]:
    rows = Finding.objects.filter(series=review.series_id).order_by("pk")
    return (Known(*values) for values in rows.values_list(*_COLUMNS).iterator(ROWS_AT_ONCE))


def known(pks: Iterable[int]) -> dict[int, Known]:
    """These findings, as matching sees them."""
    rows = Finding.objects.filter(pk__in=list(pks)).order_by("pk")
    return {values[0]: Known(*values) for values in rows.values_list(*_COLUMNS)}


# The code -----------------------------------------------------------------------


def commit_of(review: Review, parsed: ParsedReview) -> str:
    """The commit that the document is about; where it names one that the clone has not, its places are nowhere."""
    written = _COMMIT.search(parsed.metadata.base_commit or "")
    named = written[0].lower() if written else ""
    found = regions.commit_at(review.series.project, named)
    return found if not named or found.startswith(named) else ""


def _code(review: Review, commit: str, items: Sequence[ParsedFinding]) -> dict[int, list[str]]:
    """By item number, the digests of the regions that it names."""
    if not commit:
        return {}
    places = [place for item in items for place in item.files[:FILES_COUNTED]]
    read = regions.read(review.series.project, commit, places)
    found = {
        n: [region.digest for place in item.files[:FILES_COUNTED] for region in read.get(place, [])]
        for n, item in enumerate(items)
    }
    return {n: digests for n, digests in found.items() if digests}


def _gone(review: Review, commit: str, findings: Iterable[Known]) -> set[int]:
    """Those known by their code whose files are not in the tree any more: it may stand in another one now."""
    coded = [one for one in findings if any(print_.algorithm == REGION for print_ in one.prints)]
    paths = {one.pk: [path_of(place) for place in one.files[:FILES_COUNTED]] for one in coded}
    there = regions.counted(review.series.project, commit, {path for some in paths.values() for path in some})
    if there is None:
        return set()
    return {pk for pk, some in paths.items() if not any(path in there for path in some)}


# Earlier plans of the same document ---------------------------------------------------


class Former(NamedTuple):
    """What earlier plans of this very document led to, by item number: findings, rows left out, what was chosen."""

    findings: dict[int, int]
    left_out: set[int]
    chosen: dict[int, int]


def former(review: Review, items: Sequence[ParsedFinding]) -> Former:
    found = Former({}, set(), {})
    if not review.reading:
        # Rows of a reading that did not end are no plan.
        return found
    rows = ImportRow.objects.filter(review=review).exclude(action=ImportRow.Action.CARRY).order_by("n")
    columns = ("n", "action", "item__title", "finding", "left_out", "chosen")
    for n, action, title, finding, out, chosen in rows.values_list(*columns):
        if n > len(items) or items[n - 1].title != title:
            continue
        if out:
            found.left_out.add(n - 1)
        if chosen is not None:
            found.chosen[n - 1] = chosen
        if finding and (action == ImportRow.Action.NEW or chosen == 0):
            found.findings[n - 1] = finding
    return found


def spoken_in(review: Review, refs: Iterable[str]) -> list[tuple[str, int, int, dict[str, Any]]]:
    """Who bore these references in earlier versions: reference, finding, version, what the version says of itself."""
    rows = Occurrence.objects.filter(review__series=review.series_id, review__number__lt=review.number)
    rows = rows.filter(reference__in=list(refs)).order_by("-review__number", "pk")
    columns = ("reference", "finding_id", "review__number", "review__reading__metadata")
    return [(ref, pk, number, said or {}) for ref, pk, number, said in rows.values_list(*columns)[:ROWS_AT_ONCE]]
