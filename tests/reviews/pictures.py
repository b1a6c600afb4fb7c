"""Reviews in every state, with all that a document may say, for pictures of their pages."""

from __future__ import annotations

from reviews import answers, applying
from reviews.models import Finding, ImportRow, Review
from tests.factories import World
from tests.reviews import build
from tickets.work import create_ticket

FIRST = """# Delivery path review v1

**Date:** 2026-10-09
**Base Commit:** `71c0e9d`

| Ref | Severity | Title | Status |
|---|---|---|---|
| DP-1 | CRITICAL | Outbox drain deletes rows it never sent | open |
| DP-2 | IMPORTANT | Template upload accepts anonymous requests | open |
| DP-3 | MINOR | Delivery log has no index on tenant and time | open |
| DP-4 | IMPORTANT | Dead letters are invisible | open |
"""
SECOND = """# Delivery path review v2

**Date:** 2026-11-20
**Reviewer:** release-lead
**Ticket:** MC-1
**Base Commit:** `9c41f7e`
**Verdict:** DO NOT MERGE

6 issues found: 2 CRITICAL, 3 IMPORTANT, 1 MINOR.

## Findings

### DP-1. Outbox drain deletes rows it never sent

**Severity:** CRITICAL
**Files:** `relay/outbox.py:88`, `relay/drain.py:12-40`
**Issue:** `drain()` selects the due rows, deletes them, and then sends them. If the process is killed, or the
provider times out, the rows are gone.
**Fix:** Send first, then delete under the same lock.

### DP-2. Template upload accepts anonymous requests

**Severity:** IMPORTANT
**Files:** `api/templates.py:33`
**Issue:** `POST /templates` has no permission class. Anyone who reaches the edge can replace a template.

### DP-3. Delivery log has no index on tenant and time -- FIXED

**Severity:** MINOR
**Files:** `relay/models.py:210`
**Issue:** Every list reads the whole table.

### DP-5. Attempt counter resets when the relay restarts

**Severity:** CRITICAL
**Files:** `relay/consume.py:141`
**Issue:** The counter lives in the process. A restart sets it to 0, so a poison event is tried for ever.

### DP-6. Webhook signature is compared in variable time

**Severity:** IMPORTANT
**Files:** `edge/verify.py:52`
**Issue:** A difference in the first byte answers sooner than one in the last.

## Fix order

**Fix first:** DP-1, DP-5
**Fix soon:** DP-2, DP-6

## Verification checks

- `make test` — PASS (412 tests)
- `make lint` — PASS
- Load test on staging — FAIL (timeouts after 4 minutes)

## Files modified

| File | Change |
|---|---|
| `relay/models.py` | Index on tenant and time |
| `relay/drain.py` | Comments |

## Action items

- [x] Tell the tenants of the lost rows
- [ ] Rotate the webhook secret
- [ ] Add a chart of dead letters
"""
THIRD = """# Delivery path review v3

5 issues found: 1 CRITICAL, 4 IMPORTANT.

| Ticket | Severity | Title | Status |
|---|---|---|---|
| MC-1 | IMPORTANT | Template upload accepts anonymous requests | fixed |
| MC-71 | CRITICAL | Attempt counter resets when the relay restarts | open |
| MC-72 | IMPORTANT | Delivery log has no index on tenant and time | open |
| LAN-9 | IMPORTANT | Provider tokens have a fallback in the source, with a long title that says what it is of | open |
"""
LOG = """# Work log of MC-1

Took the relay apart and put the guard at the door.

**Verdict:** CLEAN to ship.

## Evidence

- commit `f94989e` holds the guard; 6 of 6 tests passed
- The relay was restarted and answers with the new version

```
{"mc_signal": "DONE", "ticket": "MC-1", "nonce": "n1", "payload": "Wired the guard at the door; 6 tests pass"}
```
"""


def of_reviews(world: World) -> dict[str, str]:
    """One review in each state; the addresses of the pages to look at, by a name for the picture."""
    mc = world.mc
    create_ticket(mc, title="Mend the delivery path")
    build.applied(mc, FIRST)
    second = build.applied(mc, SECOND)
    _answered(second)
    third = build.planned(mc, THIRD)
    log = build.applied(mc, LOG, series="Work logs")
    reverted = build.applied(mc, FIRST.replace("v1", "of the wrong branch"), series="Wrong branch")
    build.waive(_of(reverted, "DP-2"), reason="Nobody can reach it before spring.")
    applying.revert(reverted, reason="It is of the wrong branch.")
    discarded = build.planned(mc, FIRST.replace("v1", "twice"), series="Sent twice")
    applying.discard(discarded, reason="Sent twice.")
    stale = build.planned(mc, FIRST.replace("v1", "late"), series="Late")
    type(stale.series).objects.filter(pk=stale.series_id).update(version=3)
    failed = build.received(mc, b"\x00\x01\x02\xff" * 40, series="Not a text")
    Review.objects.filter(pk=failed.pk).update(state="failed", error="The document contains NUL: it is no text.")
    received = build.received(mc, FIRST.replace("v1", "now"), series="Just now")
    left = ImportRow.objects.filter(review=third, action=ImportRow.Action.NEW).order_by("n").last()
    assert left is not None
    applying.leave_out(left, True)
    named = {
        "review-plan": third,
        "review-applied": second,
        "review-log": log,
        "review-reverted": reverted,
        "review-discarded": discarded,
        "review-stale": stale,
        "review-failed": failed,
        "review-received": received,
    }
    return {name: review.get_absolute_url() for name, review in named.items()} | {
        "review-rendered": f"{second.get_absolute_url()}?rendered=1",
        "review-new": "/reviews/new/",
        "findings": "/findings/",
        "findings-filtered": "/findings/?severity=critical&ticket=without&q=counter",
        "findings-none": "/findings/?q=nothing+like+it",
        "finding-decisions": "/findings/decisions/",
    }


def _answered(review: Review) -> None:
    answers.make_tickets([_of(review, "DP-1")])
    build.reject(_of(review, "DP-6"), reason="The comparison is of a digest, and its time tells nothing.")
    build.ask_waiver(_of(review, "DP-2"), reason="Nobody can reach it before spring.")
    build.defer(_of(review, "DP-4"))


def _of(review: Review, reference: str) -> Finding:
    return Finding.objects.select_related("series__project").get(series=review.series, reference=reference)
