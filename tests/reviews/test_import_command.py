"""``manage.py import_review``: the whole way from a file to tickets, and one clear line for what cannot be."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command

from portal.core.guard.commands import EXEMPT
from portal.core.models import Activity
from reviews.models import Finding, Review
from tests.reviews import build
from tickets.models import Ticket

if TYPE_CHECKING:
    from tests.factories import World


@pytest.fixture
def document(tmp_path: Path) -> Path:
    file = tmp_path / "review.md"
    file.write_text(build.DOCUMENT)
    return file


def run(file: Path, *options: str, project: str = "MC", series: str = "Delivery path") -> str:
    said = StringIO()
    call_command("import_review", str(file), "--project", project, "--series", series, *options, stdout=said)
    return said.getvalue()


def test_without_options_a_worker_reads_it(world: World, document: Path) -> None:
    assert "A worker reads it" in run(document)
    assert Review.objects.get().state == "received"
    received = Activity.objects.get(verb="review.received")
    assert (received.actor_kind, received.actor_label) == ("command", "manage.py import_review")


def test_the_plan_is_printed_row_by_row(world: World, document: Path) -> None:
    said = run(document, "--now")
    assert Review.objects.get().state == "planned" and not Finding.objects.exists()
    assert "    1  new     critical  DP-1        Outbox drain deletes rows it never sent" in said
    assert "Not yet in this series" in said


@pytest.mark.parametrize(("way", "tickets"), [("each", 3), ("together", 1)])
def test_from_a_file_to_tickets_in_one_go_and_nothing_new_the_second_time(
    world: World, document: Path, way: str, tickets: int
) -> None:
    assert "Applied: 3 new" in run(document, "--apply", "--tickets", way)
    assert (Finding.objects.count(), Ticket.objects.count()) == (3, tickets)
    again = run(document, "--apply", "--tickets", way)
    assert "known already: it is applied" in again and "Tickets: nothing new." in again
    assert (Finding.objects.count(), Ticket.objects.count()) == (3, tickets)


def test_tickets_of_more_findings_than_are_taken_at_once_are_made_in_parts(
    world: World, tmp_path: Path, settings: Any
) -> None:
    settings.LIMITS = settings.LIMITS | {"MAKE_TICKETS_ROWS": 2}
    file = tmp_path / "many.md"
    rows = "".join(f"| A-{n} | HIGH | Problem number {n} |\n" for n in range(1, 6))
    file.write_text(f"# R\n\n| ID | Severity | Title |\n|---|---|---|\n{rows}")
    assert "Tickets: MC-1, MC-2, MC-3, MC-4, MC-5." in run(file, "--tickets", "each")


def test_the_documents_keys_are_taken_unless_they_are_refused(world: World, tmp_path: Path) -> None:
    file = tmp_path / "keys.md"
    file.write_text("# R\n\n| Ticket | Severity | Title |\n|---|---|---|\n| MC-294 | HIGH | It is real |\n")
    assert "Tickets: MC-294." in run(file, "--tickets", "each")
    file.write_text(file.read_text().replace("MC-294", "MC-300"))
    assert "Tickets: MC-295." in run(file, "--tickets", "each", "--no-document-keys", series="Other")


@pytest.mark.parametrize(
    ("content", "options", "sentence"),
    [
        (b"", {}, "is empty: it has 0 bytes"),
        (b"x" * 1025, {}, "has more than 1024 bytes"),
        (b"\x00" * 90, {}, "not text"),
        (b"# x", {"project": "NOPE"}, "There is no project NOPE."),
        (b"# x", {"series": " \x1b "}, "1 to 200 characters"),
        (None, {}, "cannot be read: No such file"),
    ],
)
def test_bad_input_is_one_clear_line_and_exit_code_2(
    world: World, tmp_path: Path, settings: Any, content: bytes | None, options: dict[str, str], sentence: str
) -> None:
    settings.LIMITS = settings.LIMITS | {"DOCUMENT_MAX_BYTES": 1024}
    file = tmp_path / "review.md"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(CommandError) as refused:
        run(file, "--now", **options)
    assert sentence in str(refused.value) and "\n" not in str(refused.value)
    assert refused.value.returncode == 2


def test_it_stands_behind_the_guard() -> None:
    assert "import_review" not in EXEMPT


def test_silence_is_answered_for_with_an_option_and_a_large_share_has_to_be_meant(
    world: World, tmp_path: Path, settings: Any
) -> None:
    settings.LIMITS = settings.LIMITS | {"CLOSE_GUARD_PERCENT": 50, "CLOSE_GUARD_FINDINGS": 1}
    build.applied(world.mc)
    file = tmp_path / "next.md"
    file.write_text("# R\n\n| Ref | Severity | Title |\n|---|---|---|\n| N-1 | LOW | A door that squeaks |\n")
    with pytest.raises(CommandError, match="3 open findings are not spoken of"):
        run(file, "--apply")
    assert "3 carried" in run(file, "--apply", "--rest", "not-assessed")
    file.write_text(build.DOCUMENT.replace("Title |\n|---", "Title | Status |\n|---").replace("---|\n", "---|---|\n"))
    fixed = "".join(f"{line} Fixed |\n" if "DP-" in line else f"{line}\n" for line in file.read_text().splitlines())
    file.write_text(fixed)
    with pytest.raises(CommandError, match="say that it is meant"):
        run(file, "--apply", "--rest", "still")
    assert "3 closed" in run(file, "--apply", "--rest", "still", "--closing-meant")
