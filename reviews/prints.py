"""The fingerprints of findings, as rows."""

from __future__ import annotations

from collections.abc import Mapping

from portal.core import bulk
from reviews.deciding import Item
from reviews.matching import Print, prints_of, usable
from reviews.models import Fingerprint


def write(items: Mapping[int, Item]) -> dict[int, list[int]]:
    """Give each finding the fingerprints of its item that it has not yet; returns the ids of the added, by finding.

    Called under the lock of the series, so nobody else adds the same.
    """
    known: set[tuple[int, Print]] = set()
    columns = ("finding_id", "algorithm", "algorithm_version", "value")
    for chunk in bulk.chunks(sorted(items)):
        rows = Fingerprint.objects.filter(finding__in=chunk).values_list(*columns)
        known |= {(finding, Print(*values)) for finding, *values in rows}
    missing = [
        Fingerprint(finding_id=finding, algorithm=one.algorithm, algorithm_version=one.version, value=one.value)
        for finding, item in items.items()
        for one in prints_of(item["title"], item.get("files") or [], usable(item.get("ticket_key")))
        if (finding, one) not in known
    ]
    added: dict[int, list[int]] = {}
    for row in Fingerprint.objects.bulk_create(missing, batch_size=bulk.CHUNK_ROWS):
        added.setdefault(row.finding_id, []).append(row.pk)
    return added
