"""Findings through the API: listed, answered, made into tickets."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from portal.core import clock
from reviews.models import Evidence, Finding
from tests.factories import World, project
from tests.reviews import build
from tickets.models import Ticket

pytestmark = pytest.mark.django_db
Call = Callable[..., Any]


def refused(answer: Any, status: int, code: str) -> dict[str, Any]:
    found: dict[str, Any] = answer.json()["error"]
    assert (answer.status_code, found["code"]) == (status, code), found
    return found


def listed(call: Call, world: World, query: str) -> set[int]:
    answer = call("get", f"/findings?{query}", world.viewer)
    assert answer.status_code == 200, answer.content
    return {row["id"] for row in answer.json()["items"]}


class TestReading:
    def test_filters_find_what_they_name(self, call: Call, world: World) -> None:
        review = build.applied(world.mc)
        other = build.finding(world.mc, "waived", "low")
        drain, upload, delay = Finding.objects.filter(series=review.series).order_by("pk")
        build.finding(world.mc, "withdrawn")
        build.finding(project("XX", "Another"))
        call("post", "/projects/MC/findings/tickets", world.operator, {"findings": [drain.pk]})
        for query, found in (
            ("", {drain, upload, delay, other}),
            ("state=open", {drain, upload, delay}),
            ("severity=critical", {drain}),
            ("series=Sample", {other}),
            (f"review={review.pk}", {drain, upload, delay}),
            ("ticket=with", {drain}),
            ("ticket=without&state=open", {upload, delay}),
            ("q=anonymous", {upload}),
            ("project=XX", set()),
        ):
            assert listed(call, world, query) == {finding.pk for finding in found}, query

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ("state=withdrawn", "state"),
            ("state=x", "state"),
            ("severity=awful", "severity"),
            ("ticket=maybe", "ticket"),
            ("review=x", "review"),
            ("q=" + "x" * 201, "q"),
            ("limit=101", "limit"),
            ("answer=x", "answer"),
        ],
    )
    def test_a_filter_that_cannot_be_is_refused_by_name(self, call: Call, world: World, query: str, field: str) -> None:
        answer = call("get", f"/findings?{query}", world.viewer)
        assert (answer.status_code, answer.json()["error"]["field"]) == (400, field)

    def test_one_shows_what_reviews_say_of_it(self, call: Call, world: World) -> None:
        review = build.applied(world.mc)
        finding = Finding.objects.get(severity="critical")
        shown = call("get", f"/findings/{finding.pk}", world.viewer).json()
        assert set(shown["allowed"]) == {"fix", "reject", "waive", "defer"}
        assert [(said["review"], said["number"]) for said in shown["occurrences"]] == [(review.pk, 1)]
        assert shown["occurrences_more"] == 0
        refused(call("get", f"/findings/{finding.pk}", world.outsider), 404, "not_found")


class TestAnswering:
    def test_each_answer_has_its_reason(self, call: Call, world: World) -> None:
        takes = {"reject": {"evidence": "https://example.org/why"}, "defer": {"until": soon()}}
        for verb, state in (("fix", "fixed"), ("reject", "rejected"), ("defer", "deferred")):
            finding = build.finding(world.mc)
            address = f"/findings/{finding.pk}/answer"
            body = {"version": 1, "verb": verb, "reason": "Seen by eye.", **takes.get(verb, {})}
            refused(call("post", address, world.reviewer, body | {"reason": " "}), 400, "invalid")
            assert call("post", address, world.reviewer, body).json()["state"] == state
            twice = refused(call("post", address, world.reviewer, body), 409, "refused")
            assert (twice["state"], twice["allowed"], twice["version"]) == (state, ["open_again"], 2)
            body = {"version": 2, "verb": "open_again", "reason": "It came back."}
            assert call("post", address, world.reviewer, body).json()["state"] == "open"

    @pytest.mark.parametrize("verb", ["withdraw", "restore", "explode", "", None])
    def test_no_other_verb_is_known(self, call: Call, world: World, verb: Any) -> None:
        finding = build.finding(world.mc)
        body = {"version": 1, "verb": verb, "reason": "x"}
        refused(call("post", f"/findings/{finding.pk}/answer", world.reviewer, body), 400, "invalid")
        finding.refresh_from_db()
        assert finding.state == "open"


class TestMakingTickets:
    def make(self, call: Call, world: World, *findings: int, **body: Any) -> Any:
        return call("post", "/projects/MC/findings/tickets", world.operator, {"findings": findings, **body})

    def test_each_gets_its_own_and_a_repeated_call_makes_nothing(self, call: Call, world: World) -> None:
        rows = [build.finding(world.mc).pk for _ in range(3)]
        assert [ticket["key"] for ticket in self.make(call, world, *rows).json()["made"]] == ["MC-1", "MC-2", "MC-3"]
        assert self.make(call, world, *rows).json() == {"made": [], "left": 0}
        assert call("get", f"/findings/{rows[0]}", world.viewer).json()["ticket"] == "MC-1"
        assert call("get", "/tickets/MC-1", world.viewer).json()["findings"] == [rows[0]]

    def test_or_one_for_all_of_them(self, call: Call, world: World) -> None:
        rows = [build.finding(world.mc).pk for _ in range(3)]
        made = self.make(call, world, *rows, together="Mend the doors").json()["made"]
        assert [ticket["title"] for ticket in made] == ["Mend the doors"]
        assert Ticket.objects.get().findings.count() == 3

    def test_a_finding_of_another_project_is_as_one_that_is_not_there(self, call: Call, world: World) -> None:
        mine, theirs = build.finding(world.mc), build.finding(project("XX", "Another"))
        first = refused(self.make(call, world, mine.pk, theirs.pk), 422, "unfit")
        missing = refused(self.make(call, world, mine.pk, 999_999), 422, "unfit")
        assert first["message"].replace(str(theirs.pk), "") == missing["message"].replace("999999", "")
        assert not Ticket.objects.exists()

    def test_more_than_are_taken_at_once_are_refused_and_none_is_made(
        self, call: Call, world: World, settings: Any
    ) -> None:
        settings.LIMITS = settings.LIMITS | {"MAKE_TICKETS_ROWS": 2}
        rows = [build.finding(world.mc).pk for _ in range(3)]
        over = refused(self.make(call, world, *rows), 400, "bad_request")
        assert (over["field"], "At most 2" in over["message"], Ticket.objects.count()) == ("findings", True, 0)
        assert len(self.make(call, world, *rows[:2]).json()["made"]) == 2

    @pytest.mark.parametrize("rows", [[], ["1"], [True], [0], [2**63], [1.5], 1, [1] * 1001])
    def test_what_is_no_list_of_findings_is_refused(self, call: Call, world: World, rows: Any) -> None:
        answer = call("post", "/projects/MC/findings/tickets", world.operator, {"findings": rows})
        refused(answer, 400, "invalid")


def test_a_finding_says_where_it_stands(call: Call, world: World) -> None:
    finding = build.finding(world.mc)
    assert call("get", f"/findings/{finding.pk}", world.viewer).json()["standing"] == "open"
    Evidence.objects.create(finding=finding, edge="turn", ref="MC-1/3", strength="claimed", by="an agent")
    for answer in (
        call("get", f"/findings/{finding.pk}", world.viewer).json(),
        call("get", "/findings", world.viewer).json()["items"][0],
    ):
        assert answer["standing"] == "fix claimed"
    deferred = {"version": finding.version, "verb": "defer", "reason": "It is a feature.", "until": soon()}
    assert call("post", f"/findings/{finding.pk}/answer", world.reviewer, deferred).json()["standing"] == ""


def soon(days: int = 7) -> str:
    return (clock.now() + timedelta(days=days)).date().isoformat()


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"verb": "reject"}, "evidence"),
        ({"verb": "reject", "evidence": "so"}, "evidence"),
        ({"verb": "waive"}, "until"),
        ({"verb": "defer", "until": "spring"}, "until"),
        ({"verb": "defer", "until": "2026-13-01"}, "until"),
        ({"verb": "defer", "until": "2099-01-01T00:00:00"}, "until"),
        ({"verb": "defer", "until": "9999-12-31T23:59:59-12:00"}, "until"),
        ({"verb": "defer", "until": "0001-01-01T00:00:00+14:00"}, "until"),
        ({"verb": "waive", "until": "2020-01-01"}, "until"),
    ],
)
def test_an_answer_says_what_it_lacks(call: Call, world: World, sent: dict[str, Any], field: str) -> None:
    finding = build.finding(world.mc)
    body = {"version": 1, "reason": "Because.", **sent}
    answer = call("post", f"/findings/{finding.pk}/answer", world.reviewer, body)
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, field)
    finding.refresh_from_db()
    assert (finding.state, finding.decisions.count()) == ("open", 0)


def test_a_waiver_is_asked_by_one_and_given_by_another(call: Call, world: World) -> None:
    finding = build.finding(world.mc)
    until = (clock.now() + timedelta(days=3)).isoformat()
    asked = {"version": 1, "verb": "waive", "reason": "Until spring.", "until": until}
    assert call("post", f"/findings/{finding.pk}/answer", world.reviewer, asked).json()["state"] == "open"
    (waits,) = call("get", "/findings/decisions?state=standing&kind=waive", world.viewer).json()["items"]
    assert (waits["finding"], waits["state"], waits["scope"], waits["allowed"]) == (
        finding.pk, "asked", "", ["give", "refuse", "end"],
    )  # fmt: skip
    address = f"/findings/decisions/{waits['id']}/give"
    refused(call("post", address, world.reviewer, {"version": 1}), 409, "refused")
    refused(call("post", address, world.operator, {"version": 1}), 403, "forbidden")
    refused(call("post", address, world.outsider, {"version": 1}), 404, "not_found")
    refused(call("post", address, world.releaser, {"version": 7}), 409, "refused")
    given = call("post", address, world.releaser, {"version": 1}).json()
    assert (given["state"], given["given_by"]) == ("in_force", str(world.releaser))
    ended = call("post", f"/findings/decisions/{waits['id']}/end", world.reviewer, {"version": 2, "reason": "Mended."})
    assert (ended.json()["state"], ended.json()["end_reason"]) == ("ended", "Mended.")
    assert call("get", f"/findings/{finding.pk}", world.viewer).json()["state"] == "open"
    for query in ("state=asked", "kind=reject", "project=LAN", f"finding={finding.pk + 1}"):
        assert call("get", f"/findings/decisions?{query}", world.viewer).json()["items"] == []
    for query in ("state=x", "kind=x"):
        refused(call("get", f"/findings/decisions?{query}", world.viewer), 400, "bad_request")


def test_a_refused_waiver_says_why(call: Call, world: World) -> None:
    made = build.ask_waiver(build.finding(world.mc))
    said = call("post", f"/findings/decisions/{made.pk}/refuse", world.reviewer, {"version": 1, "reason": "Mend it."})
    assert (said.json()["state"], said.json()["end_reason"], said.json()["given_by"]) == (
        "refused", "Mend it.", str(world.reviewer),
    )  # fmt: skip
