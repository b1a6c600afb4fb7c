"""How a finding is known again by its code and its tool, and what is known of those that were closed and are back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from portal.core.unit import unit_of_work
from reviews import answers, applying, matching, planning, premises
from reviews.importing import ParsedFinding, parse
from reviews.importing.model import Earlier
from reviews.matching import Code
from reviews.models import Edge, Evidence, Finding, Fingerprint, ImportRow, Review, Strength
from reviews.pairing import Known
from tests.reviews import build
from tests.reviews.test_planning import DRAIN, JITTER, UPLOAD, table
from tests.tickets.repositories import commit, person, repository
from tickets import clones
from tickets.models import Project

if TYPE_CHECKING:
    from tests.factories import World

CODE = "import outbox\n\ndef drain(rows):\n    for row in rows:\n        outbox.send(row)\n\n    outbox.delete(rows)\n"
OTHER = "import uploads\n\ndef receive(request):\n    template = request.body\n    uploads.keep(template)\n"
DRAINED = "A-1 | HIGH | Outbox drain deletes rows it never sent | app/outbox.py:3-7 |"
REWORDED = "B-7 | HIGH | Messages are lost when the relay stops | {} |"


@pytest.fixture
def source(tmp_path: Path, settings: Any) -> Path:
    settings.DATA_DIR = tmp_path / "data"
    found = repository(tmp_path / "mc")
    commit(found, "Code", **{"app/outbox.py": CODE, "app/uploads.py": OTHER})
    return found


@pytest.fixture
def mc(world: World, source: Path) -> Project:
    Project.objects.update(repository=str(source))
    world.mc.refresh_from_db()
    clones.fetched(world.mc)
    return world.mc


def rows(review: Review) -> list[ImportRow]:
    return list(ImportRow.objects.filter(review=review).order_by("n"))


class TestCode:
    def test_a_reworded_title_over_the_same_code_is_known_wherever_its_lines_went(
        self, mc: Project, source: Path
    ) -> None:
        build.applied(mc, table(DRAINED))
        commit(source, "Lines above", **{"app/outbox.py": "# One more line.\n\n" + CODE})
        clones.fetched(mc)
        review = build.planned(mc, table(REWORDED.format("app/outbox.py:5-9")))
        [row] = rows(review)
        assert row.action == "seen" and row.reason.startswith("Known by the code that it names")
        assert review.commit == person(source, "rev-parse", "HEAD")
        applying.apply(review)
        assert Finding.objects.get().title == "Messages are lost when the relay stops"

    def test_a_file_that_was_renamed_takes_its_findings_along(self, mc: Project, source: Path) -> None:
        build.applied(mc, table(DRAINED))
        person(source, "mv", "app/outbox.py", "app/relay.py")
        commit(source, "Rename")
        clones.fetched(mc)
        [row] = rows(build.planned(mc, table(REWORDED.format("app/relay.py:3-7"))))
        assert row.action == "seen" and "the code that it names" in row.reason

    def test_code_that_was_copied_while_the_first_stays_is_another_problem(self, mc: Project, source: Path) -> None:
        build.applied(mc, table(DRAINED))
        commit(source, "Copy", **{"app/relay.py": CODE})
        clones.fetched(mc)
        found = rows(build.planned(mc, table(REWORDED.format("app/relay.py:3-7"))))
        assert [row.action for row in found] == ["new", "carry"]

    def test_two_findings_on_the_same_code_are_told_apart_by_their_titles_or_asked(self, mc: Project) -> None:
        build.applied(mc, table(DRAINED, "A-2 | LOW | The loop sends one row at a time | app/outbox.py:3-7 |"))
        first, second = Finding.objects.order_by("pk")
        known = rows(build.planned(mc, table("B-1 | LOW | This loop sends one row at a time | app/outbox.py:3-7 |")))
        assert (known[0].action, known[0].finding) == ("seen", second)
        asked = rows(build.planned(mc, table(REWORDED.format("app/outbox.py:3-7"))))
        assert (asked[0].action, asked[0].candidates) == ("choose", [first.pk, second.pk])
        assert "the same code" in asked[0].reason

    def test_the_code_tells_which_of_two_of_the_same_title_is_listed(self, mc: Project, source: Path) -> None:
        twice = CODE + OTHER
        commit(source, "Both", **{"app/both.py": twice})
        clones.fetched(mc)
        twin = "{} | HIGH | The caller is never told | app/both.py:{} |"
        build.applied(mc, table(twin.format("A-1", "3-7"), twin.format("A-2", "10-12")))
        commit(source, "Lines above", **{"app/both.py": f"# More.\n{twice}"})
        clones.fetched(mc)
        found = rows(build.planned(mc, table(twin.format("B-1", "11-13"))))
        assert (found[0].action, found[0].finding) == ("seen", Finding.objects.get(reference="A-2"))

    def test_a_document_of_a_commit_that_the_clone_has_not_says_nothing_of_the_code(self, mc: Project) -> None:
        review = build.planned(
            mc, table(DRAINED).replace("# Delivery path review\n", "# R\n\n**Base Commit:** `abcdef123`\n")
        )
        assert review.commit == "" and "code" not in rows(review)[0].item

    def test_all_fingerprints_are_stored_with_algorithm_and_version(self, mc: Project) -> None:
        build.applied(mc, table(DRAINED))
        stored = set(Fingerprint.objects.values_list("algorithm", "algorithm_version"))
        assert stored == {("title", 2), ("place", 1), ("region", 1)}


def item(n: int, title: str, *prints: str, file: str = "a.py:1", rule: str | None = None) -> ParsedFinding:
    pairs = tuple(("hash", value) for value in prints)
    return ParsedFinding(title, n, n, "", 1, files=(file,), fingerprints=pairs, rule=rule)


def known(pk: int, one: ParsedFinding, code: tuple[str, ...] = ()) -> Known:
    prints = matching.wanted_of(one, code)
    return Known(
        pk, f"title:{pk}", "open", one.title, "", "", "", "", list(one.files), None, one.rule or "", prints=prints
    )


class TestTool:
    def test_the_tools_own_fingerprint_is_surer_than_any_words(self) -> None:
        first, second = item(1, "The old message", "aa", file="x.py:1"), item(2, "Another", "bb")
        found = matching.match(
            [item(1, "Another", "aa"), item(2, "Wholly new words", "bb")], [known(1, first), known(2, second)], {}
        )
        assert {n: (match.known.pk, match.how) for n, match in found.found.items()} == {0: (1, "tool"), 1: (2, "tool")}

    def test_several_with_one_fingerprint_are_told_apart_by_title_and_file_else_asked(self) -> None:
        first, second = item(1, "One", "aa"), item(2, "Two", "aa")
        same = matching.match([item(1, "Two", "aa"), item(2, "One", "aa")], [known(1, first), known(2, second)], {})
        assert {n: match.known.pk for n, match in same.found.items()} == {0: 2, 1: 1}
        asked = matching.match([item(1, "Three", "aa")], [known(1, first), known(2, second)], {})
        assert [one.pk for one in asked.doubts[0].candidates] == [1, 2] and asked.doubts[0].how == "tool"

    def test_two_rules_that_meet_in_one_place_are_two_problems(self) -> None:
        there = known(1, item(1, "Unused name", rule="F401"), ("d" * 64,))
        here = item(1, "Line too long", rule="E501")
        assert not matching.match([here], [there], {}, Code({0: ["d" * 64]})).found


class TestBackAgain:
    def fixed(self, mc: Project, source: Path) -> str:
        """The finding, fixed by the commit that is returned."""
        build.applied(mc, table(DRAINED))
        finding = Finding.objects.get()
        fix = commit(source, "Fix", **{"app/outbox.py": CODE.replace("delete", "keep")})
        answers.answer(finding, "fix", reason="Done.")
        Evidence.objects.create(finding=finding, edge=Edge.COMMIT, ref=fix, strength=Strength.CONFIRMED, by="Portal")
        Evidence.objects.create(
            finding=finding, edge=Edge.DEPLOYMENT, ref="3", place="production", strength=Strength.MEASURED, by="Portal"
        )
        return fix

    def test_a_regression_names_the_fix_and_whether_the_reviewed_commit_holds_it(
        self, mc: Project, source: Path
    ) -> None:
        fix = self.fixed(mc, source)
        commit(source, "And back", **{"app/outbox.py": CODE})
        clones.fetched(mc)
        [row] = rows(build.planned(mc, table(DRAINED + " Open")))
        assert row.action == "regress" and "a regression" in row.reason
        assert f"{fix[:9]} had fixed it, and the reviewed commit" in row.reason and "holds that" in row.reason
        assert "Deployment 3 (production)" in row.reason

    def test_ancestry_decides_and_not_the_date(self, mc: Project, source: Path) -> None:
        before = person(source, "rev-parse", "HEAD")
        self.fixed(mc, source)
        clones.fetched(mc)
        text = table(DRAINED + " Open").replace(
            "# Delivery path review\n", f"# R\n\n**Base Commit:** `{before[:12]}`\n"
        )
        [row] = rows(build.planned(mc, text))
        assert f"the reviewed commit {before[:9]} does not hold" in row.reason

    def test_what_was_rejected_stays_so_while_its_code_is_the_same_and_is_back_when_it_changes(
        self, mc: Project, source: Path
    ) -> None:
        build.applied(mc, table(DRAINED))
        decision = build.reject(Finding.objects.get())
        premises.look(decision.pk)
        listed = build.planned(mc, table(DRAINED + " Open"))
        [row] = rows(listed)
        assert row.action == "known" and row.reason.startswith("Rejected already: by Asks")
        assert "is unchanged" in row.reason
        assert applying.apply(listed).known == 1 and Finding.objects.get().state == "rejected"
        commit(source, "Change", **{"app/outbox.py": CODE.replace("send", "try_to_send")})
        clones.fetched(mc)
        changed = build.planned(mc, table(DRAINED + " open"))
        [row] = rows(changed)
        assert row.action == "reopen" and "premise changed, app/outbox.py:3-7" in row.reason
        applying.apply(changed)
        decision.refresh_from_db()
        assert Finding.objects.get().state == "open" and decision.state == "ended"

    def test_a_rejection_whose_code_is_not_known_stays_and_says_so(self, world: World) -> None:
        build.applied(world.mc, table(DRAIN))
        build.reject(Finding.objects.get())
        [row] = rows(build.planned(world.mc, table(DRAIN + " Open")))
        assert row.action == "known" and "not known" in row.reason

    def test_what_is_deferred_stays_so(self, world: World) -> None:
        build.applied(world.mc, table(DRAIN))
        build.defer(Finding.objects.get())
        [row] = rows(build.planned(world.mc, table(DRAIN + " Open")))
        assert row.action == "seen" and "stays deferred" in row.reason


class TestStatedOfEarlierVersions:
    def test_what_the_document_states_is_held_against_its_plan(self, world: World) -> None:
        build.applied(world.mc, table(DRAIN, UPLOAD, JITTER))
        review = build.received(world.mc, table(UPLOAD, JITTER + " Fixed"))
        stated = (("A-1", "fixed"), ("A-2", "fixed"), ("A-3", "fixed"), ("A-9", "fixed"), ("A-2", "open"))
        parsed = parse(bytes(review.content), name="v2.md")
        object.__setattr__(parsed, "earlier", (Earlier("v1", "Fixed in v1: …", 1, stated),))  # type: ignore[arg-type]
        with unit_of_work():
            planning.make(review, parsed)
        assert review.reading["unlike_plan"] == [
            "The document says that A-1 of v1 is fixed, but does not list it: say what became of it (row 3).",
            "The document says that A-2 of v1 is fixed, and after this plan it is open (row 1).",
            "The document says that A-9 of v1 is fixed, and this series knows no A-9.",
        ]
