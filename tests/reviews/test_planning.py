"""The plan: what a document would do to its series, one row for each finding that it does it to, and why."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from reviews import answers, applying, documents, matching, planning
from reviews.importing import ParsedFinding, parse
from reviews.models import ActionItem, Check, Finding, ImportRow, Review
from tests.reviews import build
from tickets.work import create_ticket
from workers.failures import BadInput

if TYPE_CHECKING:
    from tests.factories import World

HEAD = "# Delivery path review\n\n| Ref | Severity | Title | File | Status |\n|---|---|---|---|---|\n"


def table(*rows: str) -> str:
    """A document whose rows are ``ref | severity | title | file | status``."""
    return HEAD + "".join(f"| {row} |\n" for row in rows)


DRAIN = "A-1 | HIGH | Outbox drain deletes rows it never sent | app/outbox.py:10 |"
UPLOAD = "A-2 | MEDIUM | Template upload accepts anonymous requests | app/upload.py:3 |"
JITTER = "A-3 | LOW | Retry delay has no jitter | app/retry.py:77 |"


def plan(world: World, *rows: str, series: str = "Delivery path") -> list[ImportRow]:
    review = build.planned(world.mc, table(*rows), series=series)
    return list(ImportRow.objects.filter(review=review).order_by("n"))


def actions(rows: list[ImportRow]) -> list[tuple[str, str]]:
    return [(row.action, row.item.get("title", "") or row.identity.partition(":")[0]) for row in rows]


class TestActions:
    def test_silence_is_no_fix(self, world: World) -> None:
        build.applied(world.mc, table(DRAIN, UPLOAD))
        rows = plan(world, UPLOAD)
        assert [row.action for row in rows] == ["seen", "carry"]
        assert rows[1].finding == Finding.objects.get(title__startswith="Outbox")
        assert "last named in v1" in rows[1].reason and "silence is no fix" in rows[1].reason
        assert rows[1].item == {}

    def test_what_the_document_calls_fixed_or_rejected_is_closed(self, world: World) -> None:
        build.applied(world.mc, table(DRAIN, UPLOAD, JITTER))
        rows = plan(world, DRAIN + " Fixed", UPLOAD + " Rejected", JITTER)
        assert [row.action for row in rows] == ["close", "close", "seen"]
        assert "the document says that it is fixed" in rows[0].reason

    def test_what_was_fixed_and_is_listed_again_is_a_regression(self, world: World) -> None:
        build.applied(world.mc, table(DRAIN))
        answers.answer(Finding.objects.get(), "fix", reason="Done.")
        [row] = plan(world, DRAIN + " Open")
        assert row.action == "regress" and "a regression" in row.reason

    def test_what_a_document_alone_rejected_is_opened_again_and_is_no_regression(self, world: World) -> None:
        build.applied(world.mc, table(DRAIN + " Rejected"))
        [row] = plan(world, DRAIN + " Open")
        assert row.action == "reopen" and "regression" not in row.reason

    @pytest.mark.parametrize("status", ["", "Open", "Fixed", "Rejected"])
    def test_no_document_ends_a_waiver(self, world: World, status: str) -> None:
        build.applied(world.mc, table(DRAIN))
        build.waive(Finding.objects.get())
        [row] = plan(world, f"{DRAIN} {status}", "B-1 | LOW | A second thing is wrong here too | b.py |")[:1]
        assert row.action == "seen" and "stays waived" in row.reason

    def test_what_is_closed_here_and_there_stays_closed(self, world: World) -> None:
        build.applied(world.mc, table(DRAIN + " Fixed"))
        assert Finding.objects.get().state == "fixed"
        [row] = plan(world, DRAIN.replace("A-1", "B-9") + " Fixed")
        assert row.action == "seen" and "fixed already" in row.reason

    def test_an_older_document_neither_closes_nor_opens_nor_renames(self, world: World) -> None:
        older = build.planned(world.mc, table(DRAIN))
        build.applied(world.mc, table(DRAIN.replace("HIGH", "LOW") + " Fixed"))
        documents.read_again(older)
        documents.read_now(older)
        [row] = ImportRow.objects.filter(review=older)
        assert row.action == "seen" and "v2, which is newer" in row.reason
        applying.apply(older)
        finding = Finding.objects.get()
        assert (finding.state, finding.severity) == ("fixed", "low")

    def test_each_row_says_what_changed(self, world: World) -> None:
        build.applied(world.mc, table(DRAIN, UPLOAD, JITTER))
        rows = plan(
            world,
            DRAIN.replace("HIGH", "CRITICAL"),
            UPLOAD.replace("upload.py:3", "upload.py:30"),
            JITTER,
        )
        assert [row.action for row in rows] == ["seen"] * 3
        assert "it is critical now, was important" in rows[0].reason
        assert "its lines moved" in rows[1].reason
        assert "nothing of it changes" in rows[2].reason


class TestMatching:
    def test_the_same_list_in_another_order_and_on_other_lines_changes_nothing(self, world: World) -> None:
        build.applied(world.mc, table(DRAIN, UPLOAD, JITTER))
        moved = [re.sub(r":(\d+)", lambda line: f":{int(line[1]) + 7}", row) for row in (JITTER, DRAIN, UPLOAD)]
        rows = plan(world, *moved)
        assert [row.action for row in rows] == ["seen"] * 3
        assert {row.finding.title for row in rows if row.finding} == {row.item["title"] for row in rows}

    def test_a_reference_alone_identifies_nothing(self, world: World) -> None:
        build.applied(world.mc, table("H1 | HIGH | Outbox drain deletes rows it never sent | a.py |"))
        rows = plan(world, "H1 | HIGH | Template upload accepts anonymous requests | b.py |")
        assert [row.action for row in rows] == ["new", "carry"]

    def test_a_title_is_known_under_another_number_case_and_markup(self, world: World) -> None:
        build.applied(world.mc, table("H1 | HIGH | `drain()` deletes rows it never sent | |"))
        [row] = plan(world, "M7 | HIGH | Drain() deletes  rows it never sent | |")
        assert row.action == "seen" and "Known by its title" in row.reason and "numbered M7 now" in row.reason

    def test_the_same_file_and_nearly_the_same_title_are_the_same(self, world: World) -> None:
        build.applied(world.mc, table("A-1 | HIGH | Outbox drain deletes rows it never sent | ws/outbox.py:10 |"))
        [row] = plan(world, "B-1 | HIGH | Outbox drain deletes rows which it never sent | outbox.py:19 |")
        assert row.action == "seen" and "nearly the same title" in row.reason and "its title was" in row.reason

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            ("Call 1 to the ledger has no timeout | a.py", "Call 2 to the ledger has no timeout | a.py"),
            ("Call to the ledger has no timeout at all | a.py", "Call to the ledger has no timeout at any | x/b.py"),
            ("Call to the ledger has no timeout at all | x/a.py", "Call to the ledger has no timeout at any | y/a.py"),
        ],
    )
    def test_another_number_or_another_file_is_another_problem(self, world: World, first: str, second: str) -> None:
        build.applied(world.mc, table(f"A-1 | HIGH | {first} |"))
        assert [row.action for row in plan(world, f"A-1 | HIGH | {second} |")] == ["new", "carry"]

    def test_two_items_of_one_title_are_two_findings_and_stay_so(self, world: World) -> None:
        twins = ["A-1 | HIGH | The lock is not released | a.py |", "A-2 | HIGH | The lock is not released | b.py |"]
        build.applied(world.mc, table(*twins))
        assert Finding.objects.count() == 2
        rows = plan(world, *reversed(twins))
        assert [row.action for row in rows] == ["seen", "seen"]
        files = {row.item["files"][0]: row.finding.files[0] for row in rows if row.finding}
        assert files == {"a.py": "a.py", "b.py": "b.py"}, "each keeps to its own file"

    def test_the_key_is_surer_than_the_title(self, world: World) -> None:
        one = "# R\n\n| Ticket | Severity | Title |\n|---|---|---|\n| MC-7 | HIGH | The lock is not released |\n"
        build.applied(world.mc, one)
        other = one.replace("The lock is not released", "Lock leaks on every error path")
        review = build.planned(world.mc, other + "| MC-8 | HIGH | The lock is not released |\n")
        rows = list(ImportRow.objects.filter(review=review).order_by("n"))
        assert [row.action for row in rows] == ["seen", "new"]
        assert "Known by its key" in rows[0].reason

    def test_a_former_title_still_identifies(self, world: World) -> None:
        build.applied(world.mc, table("A-1 | HIGH | Outbox drain deletes rows it never sent | outbox.py |"))
        build.applied(world.mc, table("A-1 | HIGH | Outbox drain deletes rows that it never sent | outbox.py |"))
        [row] = plan(world, "Z-1 | HIGH | Outbox drain deletes rows it never sent | |")
        assert row.action == "seen" and Finding.objects.count() == 1

    def test_what_a_document_brought_before_it_brings_back_whatever_key_it_gives(self) -> None:
        items = [
            ParsedFinding("The lock leaks", 1, 1, "", 1, ticket_key="MC-7"),
            ParsedFinding("No jitter", 2, 2, "", 1, ticket_key="MC-7"),
        ]
        first = _withdrawn(1, "The lock leaks", "")
        second = _withdrawn(2, "No jitter", "MC-7")
        found = matching.match(items, [first, second], {0: 1, 1: 2}).found
        assert {n: match.known.pk for n, match in found.items()} == {0: 1, 1: 2}
        # By its key alone the first item would take the finding of the second.
        assert matching.match(items, [first, second], {}).found[0].known.pk == 2

    def test_findings_of_another_series_are_not_known(self, world: World) -> None:
        build.applied(world.mc, table(DRAIN), series="Another")
        assert [row.action for row in plan(world, DRAIN)] == ["new"]


class TestKeys:
    DOCUMENT = "# R\n\n| Ticket | Severity | Title |\n|---|---|---|\n"

    def rows(self, world: World, *keys: str) -> list[ImportRow]:
        text = self.DOCUMENT + "".join(f"| {key} | HIGH | Problem {n} is real |\n" for n, key in enumerate(keys))
        return list(ImportRow.objects.filter(review=build.planned(world.mc, text)).order_by("n"))

    def test_each_row_says_what_becomes_of_its_key(self, world: World) -> None:
        known = create_ticket(world.mc, title="There")
        create_ticket(world.mc, title="Gone").delete()
        rows = self.rows(world, known.key, "MC-2", "MC-294", "XX-5", "MC-500000")
        assert [row.keys for row in rows] == ["link", "refuse", "adopt", "alias", "refuse"]
        assert [row.ticket_key for row in rows] == ["MC-1", "MC-2", "MC-294", "XX-5", "MC-500000"]
        assert all(row.item["keys_reason"] for row in rows)

    def test_the_subject_of_the_document_is_found_by_any_name_in_its_project_alone(self, world: World) -> None:
        ticket = create_ticket(world.mc, title="The subject")
        text = "# R\n\nTicket: {} (conversations)\n\n| Ref | Severity | Title |\n|---|---|---|\n" + f"| {DRAIN} |\n"
        assert build.planned(world.mc, text.format("MC-1")).subject_ticket == ticket
        assert build.planned(world.mc, text.format("MC-9"), series="T").subject_ticket is None


class TestBeside:
    def test_checks_action_items_and_the_order_of_fixing_are_kept(self, world: World) -> None:
        text = (
            table(DRAIN, UPLOAD)
            + "\n## Action items\n\n- [ ] Write the migration\n- [x] Tell the team\n"
            + "\n## Verification checks\n\n- `make test`: PASS (12 of 12)\n- `make lint`: FAIL\n"
            + "\n## Fix order\n\n1. A-2 first\n2. A-1 then\n"
        )
        review = build.planned(world.mc, text)
        assert list(ActionItem.objects.filter(review=review).values_list("text", "done")) == [
            ("Write the migration", False),
            ("Tell the team", True),
        ]
        assert list(Check.objects.filter(review=review).values_list("outcome", flat=True)) == ["passed", "failed"]
        ranks = {row.item["ref"]: row.item.get("rank") for row in ImportRow.objects.filter(review=review)}
        assert ranks == {"A-1": 2, "A-2": 1}
        documents.read_again(review)
        documents.read_now(review)
        assert ActionItem.objects.filter(review=review).count() == 2, "read again: not doubled"


class TestBounds:
    def test_a_plan_at_its_limit_is_made_and_one_more_row_is_refused(self, world: World, settings: Any) -> None:
        settings.LIMITS = settings.LIMITS | {"PLAN_MAX_ROWS": 2}
        assert len(plan(world, DRAIN, UPLOAD)) == 2
        review = build.received(world.mc, table(DRAIN, UPLOAD, JITTER))
        with pytest.raises(BadInput, match=r"has 3 findings: a plan has at most 2 rows \(PLAN_MAX_ROWS\)"):
            documents.read_now(review)
        review.refresh_from_db()
        assert review.state == "failed" and "at most 2 rows" in review.error

    def test_open_findings_that_are_not_named_count_too(self, world: World, settings: Any) -> None:
        build.applied(world.mc, table(DRAIN, UPLOAD))
        settings.LIMITS = settings.LIMITS | {"PLAN_MAX_ROWS": 2}
        review = build.received(world.mc, table(JITTER))
        with pytest.raises(BadInput, match="1 findings and 2 open ones"):
            documents.read_now(review)

    def test_queries_do_not_grow_with_the_document(self, world: World) -> None:
        def cost(rows: int, series: str) -> int:
            items = [f"A-{n} | HIGH | Problem {n} of many | app/{n % 7}.py:{n} |" for n in range(rows)]
            build.applied(world.mc, table(*items), series=series)
            review = build.received(world.mc, table(*items[1:], "N-1 | LOW | Another | z.py |"), series=series)
            parsed = parse(bytes(review.content))
            with CaptureQueriesContext(connection) as made:
                planning.draft(review, parsed)
            return len(made)

        assert cost(5, "few") == cost(80, "many") <= 12

    def test_many_alike_titles_in_one_file_are_compared_in_linear_time(self, world: World) -> None:
        def draft(rows: int, series: str) -> float:
            items = [f"A-{n} | HIGH | Handler of case {_letters(n)} leaks its buffer | app/a.py |" for n in range(rows)]
            build.applied(world.mc, table(*items), series=series)
            changed = [item.replace("leaks its", "leaks the whole") for item in items]
            review = build.received(world.mc, table(*changed), series=series)
            parsed = parse(bytes(review.content))
            began = time.process_time()
            rows_made = planning.draft(review, parsed).rows
            assert {row.action for row in rows_made} == {"seen"}
            return time.process_time() - began

        few = draft(150, "few")
        assert draft(600, "many") < max(few, 0.2) * 4 * 3


def _withdrawn(pk: int, title: str, key: str) -> matching.Known:
    known = matching.Known(pk, f"title:{pk}", "withdrawn", title, "high", "", "", key, [], None)
    known.prints = matching.prints_of(title, [], key)
    return known


def _letters(n: int) -> str:
    return "".join(chr(ord("a") + int(digit)) * 2 for digit in str(n))


def test_a_document_full_of_what_databases_refuse_is_planned(world: World) -> None:
    text = table("A-1 | HIGH | A bell \x07 and \ufffe, \x1b[2J and \u202e in it | a\x01.py |")
    review = build.received(world.mc, text)
    documents.read_now(review)
    assert review.state == "planned"
    applying.apply(Review.objects.get(pk=review.pk))
    assert Finding.objects.count() == 1


def test_what_was_left_out_stays_left_out_when_it_is_read_again(world: World) -> None:
    review = build.planned(world.mc, table(DRAIN, UPLOAD))
    applying.leave_out(ImportRow.objects.get(review=review, n=2), True)
    documents.read_again(review)
    documents.read_now(review)
    assert list(ImportRow.objects.order_by("n").values_list("left_out", flat=True)) == [False, True]
