"""Reviews through the API: received, read, applied, taken back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from reviews.models import Decision, Finding, ImportRow, Review
from tests.factories import World, project
from tests.reviews import build

pytestmark = pytest.mark.django_db
Call = Callable[..., Any]


def refused(answer: Any, status: int, code: str) -> dict[str, Any]:
    found: dict[str, Any] = answer.json()["error"]
    assert (answer.status_code, found["code"]) == (status, code), found
    return found


class TestSendingText:
    def send(self, call: Call, world: World, **body: Any) -> Any:
        return call("post", "/projects/MC/reviews", world.operator, {"series": "Path", **body})

    def test_text_is_stored_as_its_bytes(self, call: Call, world: World) -> None:
        answer = self.send(call, world, text="# Prüfung\r\n", file_name="p.md").json()
        assert bytes(Review.objects.get(pk=answer["id"]).content) == "# Prüfung\r\n".encode()

    def test_text_and_bytes_of_one_document_are_one_review(self, call: Call, world: World) -> None:
        first = self.send(call, world, text="# x").json()
        assert self.send(call, world, content_base64="IyB4").json() == first | {"new": False}

    @pytest.mark.parametrize("body", [{}, {"text": "# x", "content_base64": "IyB4"}], ids=["neither", "both"])
    def test_exactly_one_of_them_is_sent(self, call: Call, world: World, body: dict[str, Any]) -> None:
        assert "one of the two" in refused(self.send(call, world, **body), 400, "bad_request")["message"]
        assert not Review.objects.exists()

    def test_text_is_bounded_in_bytes(self, call: Call, world: World, settings: Any) -> None:
        settings.LIMITS = settings.LIMITS | {"DOCUMENT_TEXT_MAX_BYTES": 1024}
        assert self.send(call, world, text="ü" * 512).status_code == 200
        over = refused(self.send(call, world, text="ü" * 513), 413, "too_large")
        assert (over["field"], "has 1026" in over["message"]) == ("text", True)
        refused(self.send(call, world, text=""), 400, "bad_request")


class TestReading:
    def test_a_list_holds_what_its_reader_sees_and_filters_it(self, call: Call, world: World) -> None:
        mine, theirs = build.planned(world.mc), build.received(project("XX", "Another"))
        build.received(world.mc, "# other", series="Other")
        assert [row["series"] for row in call("get", "/reviews", world.viewer).json()["items"]] == [
            "Other",
            "Delivery path",
        ]
        for query in ("state=planned", "series=Delivery+path", "project=MC&state=planned"):
            assert [row["id"] for row in call("get", f"/reviews?{query}", world.viewer).json()["items"]] == [mine.pk]
        assert call("get", "/reviews", world.outsider).json() == {"items": [], "next": None}
        assert theirs.pk in [row["id"] for row in call("get", "/reviews", world.admin).json()["items"]]
        refused(call("get", "/reviews?state=lost", world.viewer), 400, "bad_request")

    def test_pages_follow_each_other_to_the_end(self, call: Call, world: World) -> None:
        made = [build.received(world.mc, f"# {n}").pk for n in range(5)]
        seen, address = [], "/reviews?limit=2"
        while address:
            answer = call("get", address, world.viewer).json()
            seen += [row["id"] for row in answer["items"]]
            address = f"/reviews?limit=2&before={answer['next']}" if answer["next"] else ""
        assert seen == made[::-1]

    def test_one_shows_what_was_read_and_what_its_state_allows(self, call: Call, world: World) -> None:
        review = build.planned(world.mc)
        shown = call("get", f"/reviews/{review.pk}", world.viewer).json()
        assert (shown["state"], shown["version"], shown["stale"]) == ("planned", review.version, False)
        assert set(shown["allowed"]) == {"apply", "discard", "read_again"}
        assert shown["totals"]["stated"]["total"] == 2
        assert shown["totals"]["found"]["total"] == 3
        assert shown["totals"]["disagreements"]
        assert shown["plan"] == {"new": 3}
        assert "content" not in shown

    def test_its_rows_come_in_order_and_in_pages(self, call: Call, world: World) -> None:
        review = build.planned(world.mc)
        first = call("get", f"/reviews/{review.pk}/rows?limit=2", world.viewer).json()
        rest = call("get", f"/reviews/{review.pk}/rows?limit=2&after={first['next']}", world.viewer).json()
        assert [row["n"] for row in first["items"] + rest["items"]] == [1, 2, 3]
        assert rest["next"] is None
        assert all(row["reason"] and row["outcome"] == "planned" for row in first["items"])
        assert call("get", f"/reviews/{review.pk}/rows?action=carry", world.viewer).json()["items"] == []
        refused(call("get", f"/reviews/{review.pk}/rows?action=steal", world.viewer), 400, "invalid")

    @pytest.mark.parametrize("number", ["0", "999999999", "9223372036854775808", "x", "-1", "1.0"])
    def test_a_number_that_names_nothing_is_a_404(self, call: Call, world: World, number: str) -> None:
        answer = call("get", f"/reviews/{number}", world.viewer)
        assert (answer.status_code, set(answer.json())) == (404, {"error"})

    def test_the_queries_of_the_lists_do_not_grow(
        self, call: Call, world: World, django_assert_max_num_queries: Any
    ) -> None:
        from django.db import connection
        from django.test.utils import CaptureQueriesContext

        def count(address: str) -> int:
            with CaptureQueriesContext(connection) as found:
                assert call("get", address, world.viewer).status_code == 200
            return len(found)

        review = build.applied(world.mc)
        addresses = ["/reviews", "/findings", f"/reviews/{review.pk}/rows", "/findings?q=drain"]
        few = [count(address) for address in addresses]
        for n in range(10):
            build.applied(world.mc, f"## H{n}: A wholly other problem {n}\n\nText.\n", series=f"Series {n}")
        assert [count(address) for address in addresses] == few


class TestChanging:
    def test_a_plan_is_applied_once(self, call: Call, world: World) -> None:
        review = build.planned(world.mc)
        body = {"version": review.version}
        answer = call("post", f"/reviews/{review.pk}/apply", world.reviewer, body)
        assert (answer.status_code, answer.json()["new"], answer.json()["review"]["state"]) == (200, 3, "applied")
        again = refused(call("post", f"/reviews/{review.pk}/apply", world.reviewer, body), 409, "refused")
        assert (again["state"], again["allowed"], again["version"]) == ("applied", ["revert"], review.version + 1)
        assert Finding.objects.count() == 3

    @pytest.mark.parametrize("value", [1, "true", None])
    def test_whether_the_documents_keys_are_used_is_said_as_true_or_false(
        self, call: Call, world: World, value: Any
    ) -> None:
        review = build.planned(world.mc)
        body = {"version": review.version, "document_keys": value}
        found = refused(call("post", f"/reviews/{review.pk}/apply", world.reviewer, body), 400, "invalid")
        assert found["field"].endswith("document_keys")
        body["document_keys"] = False
        assert call("post", f"/reviews/{review.pk}/apply", world.reviewer, body).status_code == 200
        review.refresh_from_db()
        assert review.document_keys is False

    def test_it_is_reverted_with_a_reason_in_words(self, call: Call, world: World) -> None:
        review = build.applied(world.mc)
        for reason in ("", "   ", "x" * 2001):
            body = {"version": review.version, "reason": reason}
            refused(call("post", f"/reviews/{review.pk}/revert", world.reviewer, body), 400, "invalid")
        body = {"version": review.version, "reason": "The wrong branch."}
        answer = call("post", f"/reviews/{review.pk}/revert", world.reviewer, body).json()
        assert (answer["taken_back"], answer["kept"], answer["review"]["state"]) == (3, 0, "reverted")
        assert call("get", "/findings", world.viewer).json()["items"] == []

    def test_it_is_discarded_and_read_again(self, call: Call, world: World) -> None:
        review = build.planned(world.mc)
        discarded = call("post", f"/reviews/{review.pk}/discard", world.reviewer, {"version": review.version}).json()
        assert discarded["state"] == "discarded"
        old = {"version": review.version}
        assert "version" in refused(
            call("post", f"/reviews/{review.pk}/read_again", world.operator, old), 409, "refused"
        )
        body = {"version": discarded["version"]}
        assert call("post", f"/reviews/{review.pk}/read_again", world.operator, body).json()["state"] == "received"

    def test_a_row_is_left_out_and_taken_in(self, call: Call, world: World) -> None:
        review = build.planned(world.mc)
        address = f"/reviews/{review.pk}/rows/2/leave_out"
        row = call("post", address, world.reviewer, {"version": review.version, "left_out": True}).json()
        assert (row["n"], row["left_out"]) == (2, True)
        old = call("post", f"/reviews/{review.pk}/apply", world.reviewer, {"version": review.version})
        refused(old, 409, "refused")
        now = {"version": row["version"]}
        assert call("post", f"/reviews/{review.pk}/apply", world.reviewer, now).json()["new"] == 2
        version = call("get", f"/reviews/{review.pk}", world.viewer).json()["version"]
        refused(call("post", address, world.reviewer, {"version": version, "left_out": False}), 409, "refused")
        gone = f"/reviews/{review.pk}/rows/99/leave_out"
        refused(call("post", gone, world.reviewer, {"version": version, "left_out": True}), 404, "not_found")

    def test_it_takes_a_reviewer(self, call: Call, world: World) -> None:
        review = build.planned(world.mc)
        body = {"version": review.version}
        refused(call("post", f"/reviews/{review.pk}/apply", world.operator, body), 403, "forbidden")
        refused(call("post", f"/reviews/{review.pk}/apply", world.outsider, body), 404, "not_found")
        assert ImportRow.objects.filter(outcome="applied").count() == 0


class TestWordsOfAPerson:
    FIRST = build.DOCUMENT.replace("DP-3 | MINOR | Retry", "DP-3 | MINOR | The retry")

    def silent(self, world: World) -> Any:
        build.applied(world.mc, self.FIRST)
        return build.planned(world.mc, "Nothing to see here, it is all well.\n")

    def test_a_plan_says_what_it_waits_for_and_is_told(self, call: Call, world: World) -> None:
        review = self.silent(world)
        url = f"/reviews/{review.pk}"
        holds = call("get", url, world.viewer).json()["holds"]
        assert holds == {"unchosen": 0, "unsaid": 3, "closing": 0, "open": 0, "guarded": False}
        body = {"version": review.version}
        refused(call("post", f"{url}/apply", world.reviewer, body), 409, "refused")
        into = Finding.objects.order_by("pk")[0]
        said = {"disposition": "merged", "merge_into": into.pk}
        merged = call("post", f"{url}/rows/2/dispose", world.reviewer, body | said).json()
        assert (merged["disposition"], merged["merge_into"]) == ("merged", into.pk)
        body = {"version": merged["version"]}
        refused(call("post", f"{url}/rows/2/choose", world.reviewer, body | {"finding": None}), 409, "refused")
        rest = call("post", f"{url}/rest", world.reviewer, body | {"disposition": "still"}).json()
        assert rest["findings"] == 2
        done = call("post", f"{url}/apply", world.reviewer, {"version": rest["review"]["version"]}).json()
        assert (done["closed"], done["carried"], done["regressed"], done["known"]) == (1, 2, 0, 0)

    def test_the_rest_goes_with_applying_and_a_rejection_is_the_tokens_user(self, call: Call, world: World) -> None:
        review = self.silent(world)
        url, body = f"/reviews/{review.pk}", {"version": review.version}
        said = {"disposition": "rejected", "reason": "Not so.", "evidence": "Shown in app/outbox.py:10."}
        version = call("post", f"{url}/rows/1/dispose", world.reviewer, body | said).json()["version"]
        done = call("post", f"{url}/apply", world.reviewer, {"version": version, "rest": "not_assessed"})
        assert done.status_code == 200 and Decision.objects.get().asked_by == world.reviewer
        assert call("get", url, world.viewer).json()["not_assessed"] == 2

    def test_one_of_the_candidates_is_chosen(self, call: Call, world: World) -> None:
        row = "| {} | MINOR | The lock is not released |\n"
        head = build.DOCUMENT.partition("| DP-1")[0]
        build.applied(world.mc, head + row.format("A-1") + row.format("A-2"))
        review = build.planned(world.mc, head + row.format("B-1"))
        url, body = f"/reviews/{review.pk}", {"version": review.version}
        [asked] = call("get", f"{url}/rows?action=choose", world.viewer).json()["items"]
        assert len(asked["candidates"]) == 2 and asked["chosen"] is None
        refused(call("post", f"{url}/rows/1/choose", world.reviewer, body | {"finding": 999}), 409, "refused")
        chosen = call("post", f"{url}/rows/1/choose", world.reviewer, body | {"finding": asked["candidates"][1]})
        assert chosen.json()["chosen"] == asked["candidates"][1]
