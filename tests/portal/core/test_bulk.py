"""Many rows changed at once: all or none, each under its own transition, in a bounded number of statements."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal.core.lifecycle import Change, Gone, NotAllowedNow
from portal.core.models import Activity
from portal.live.models import Event
from tests.factories import World
from tests.portal.core.things import ticket_in
from tests.workers.racing import race
from tickets.models import Ticket
from tickets.transitions import TICKET

ODD = "it's \"quoted\" \\ {braces} %s %% \u2028 \U0001f600 'null'"


@pytest.mark.django_db
class TestMoving:
    def test_each_row_goes_through_its_own_verb_with_its_own_fields(self, world: World) -> None:
        one, two, three = (ticket_in(world.mc, state) for state in ("queued", "in_review", "open"))
        TICKET.move_all(
            [
                Change(three, "amended", {"title": ODD}, "Better."),
                Change(one, "stop", {}, "Enough."),
                Change(two, "accept", {"accepted_commit": "f" * 40}, "It holds."),
            ]
        )
        stored = list(Ticket.objects.order_by("pk").values_list("state", "title", "accepted_commit", "version"))
        kept = "Mend the door"
        assert stored == [("open", kept, "", 2), ("merging", kept, "f" * 40, 2), ("open", ODD, "", 2)]
        assert [(row.state, row.version) for row in (one, two, three)] == [("open", 2), ("merging", 2), ("open", 2)]
        said = Activity.objects.get(verb="ticket.accept")
        assert said.before == {"state": "in_review", "accepted_commit": ""}
        assert (said.after, said.reason) == ({"state": "merging", "accepted_commit": "f" * 40}, "It holds.")
        assert Activity.objects.get(verb="ticket.amended").after == {"title": ODD}

    def test_one_row_that_may_not_holds_all_back(self, world: World) -> None:
        one, two = ticket_in(world.mc, "queued"), ticket_in(world.mc, "done")
        history = Activity.objects.count()
        with pytest.raises(NotAllowedNow, match="is done, so it cannot stop"):
            TICKET.move_all([Change(one, "stop"), Change(two, "stop")])
        assert set(Ticket.objects.values_list("state", "version")) == {("queued", 1), ("done", 1)}
        assert Activity.objects.count() == history

    def test_a_row_that_is_gone_holds_all_back(self, world: World) -> None:
        one, two = ticket_in(world.mc, "queued"), ticket_in(world.mc, "queued")
        Ticket.objects.filter(pk=two.pk).delete()
        with pytest.raises(Gone):
            TICKET.move_all([Change(one, "stop"), Change(two, "stop")])
        assert Ticket.objects.get().state == "queued"

    def test_statements_do_not_grow_with_the_rows_and_a_stream_gets_one_event(self, world: World) -> None:
        costs = []
        for count in (3, 40):
            rows = [ticket_in(world.mc, "open") for _ in range(count)]
            before = Event.objects.filter(stream_id=world.mc.scope).count()
            with CaptureQueriesContext(connection) as cost:
                TICKET.move_all(Change(row, "amended", {"title": f"Ticket {row.pk}"}) for row in rows)
            # On SQLite each event and each stream is a statement of its own.
            costs.append(len([query for query in cost if "live_" not in query["sql"]]))
            assert Event.objects.filter(stream_id=world.mc.scope).count() == before + 1
            assert {row.title for row in Ticket.objects.filter(pk__in=[row.pk for row in rows])} == {
                f"Ticket {row.pk}" for row in rows
            }
        assert costs[0] == costs[1]

    def test_nothing_to_change_is_nothing_written(self, world: World) -> None:
        with CaptureQueriesContext(connection) as cost:
            TICKET.move_all([])
        assert len(cost) == 0

    def test_json_numbers_and_nothing_at_all_are_written_as_they_are(self, world: World) -> None:
        from reviews.transitions import FINDING
        from tests.reviews import build

        ticket = ticket_in(world.mc)
        one, two, three = (build.finding(world.mc) for _ in range(3))
        files: list[Any] = ["a.py:1", ODD, "[]", "null"]
        FINDING.move_all(
            [Change(one, "restated", {"files": files, "ticket_id": ticket.pk}), Change(two, "restated", {"files": []})]
        )
        FINDING.move_all(
            [Change(one, "restated", {"ticket_id": None}), Change(three, "restated", {"ticket_id": ticket.pk})]
        )
        for row, stored, bears in ((one, files, None), (two, [], None), (three, [], ticket.pk)):
            row.refresh_from_db()
            assert (row.files, row.ticket_id) == (stored, bears)


def _stop(pks: list[int]) -> bool:
    try:
        TICKET.move_all([Change(ticket, "stop") for ticket in Ticket.objects.filter(pk__in=pks)])
    except NotAllowedNow:
        return False
    return True


@pytest.mark.django_db(transaction=True)
def test_bulk_changes_at_once_never_wait_in_a_circle_and_one_wins(world: World, engine: str) -> None:
    pks = [ticket_in(world.mc, "queued").pk for _ in range(20)]
    orders = [pks, pks[::-1], pks[5:], pks[:15][::-1]] * (3 if engine == "postgresql" else 1)
    won = race(_stop, [(order,) for order in orders])
    assert won.count(True) == 1
    assert set(Ticket.objects.values_list("version", flat=True)) <= {1, 2}
