"""The fingerprints of findings, as rows."""

from __future__ import annotations

from collections.abc import Mapping, Set

from portal.core import bulk
from reviews.deciding import Item
from reviews.fingerprints import Print, prints_of, usable
from reviews.models import Fingerprint


def write(items: Mapping[int, Item], *, new: Set[int] = frozenset()) -> dict[int, list[int]]:
    """Give each finding the fingerprints of its item that it has not yet; returns the ids of the added, by finding.

    ``new`` are findings that have none yet, and are not in what is returned. Called under the lock of the
    series, so nobody else adds the same.
    """
    known: set[tuple[int, Print]] = set()
    columns = ("finding_id", "algorithm", "algorithm_version", "value")
    for chunk in bulk.chunks(sorted(items.keys() - new)):
        rows = Fingerprint.objects.filter(finding__in=chunk).values_list(*columns)
        known |= {(finding, Print(*values)) for finding, *values in rows}
    missing = [
        Fingerprint(finding_id=finding, algorithm=one.algorithm, algorithm_version=one.version, value=one.value)
        for finding, item in items.items()
        if finding not in new
        for one in of_item(item)
        if (finding, one) not in known
    ]
    added: dict[int, list[int]] = {}
    for row in bulk.insert(Fingerprint, missing):
        added.setdefault(row.finding_id, []).append(row.pk)
    bulk.copy(
        Fingerprint,
        ("finding_id", "algorithm", "algorithm_version", "value"),
        [(finding, *one) for finding in new for one in dict.fromkeys(of_item(items[finding]))],
    )
    return added


def of_item(item: Item) -> list[Print]:
    return prints_of(
        item["title"],
        item.get("files") or [],
        usable(item.get("ticket_key")),
        tool=item.get("fingerprints") or (),
        code=item.get("code") or (),
    )
