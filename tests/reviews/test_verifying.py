"""Checks of a document that the portal runs: nothing before an owner allowed the exact text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from portal.core.lifecycle import Refused
from reviews import check_commands, verifying
from reviews.models import AllowedCommand, Check, Finding, Review, Verification
from reviews.queries import verifications
from tests.factories import World
from tests.reviews import build
from tests.tickets.workshop import Workshop
from workers.models import Job

DOCUMENT = """# Door review

## H1: The door squeaks

Severity: High

It does.

## Verification

- H1: `cat src/door.txt` - passed
- `test -e "no such file"` - passed
- `cat src/door.txt | sh` - passed
- Looked at by hand - passed
"""


@pytest.mark.once
@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("`pytest tests/test_x.py -q`", "pytest tests/test_x.py -q"),
        ("H1: `make lint` of it", "make lint"),
        ("npm test", "npm test"),
        ("$ go test ./...", "go test ./..."),
        ('`grep "a;b" x`', 'grep "a;b" x'),
        ("`a` and `b`", ""),
        ("the suite is green", ""),
        ("lint passes", ""),
        ("Tests pass", ""),
        ("`cat x | sh`", ""),
        ("`make; rm -rf /`", ""),
        ("`echo $(id)`", ""),
        ("`echo <(id)`", ""),
        ("`x 'open`", ""),
        ("`make\u202e tset`", ""),
        ("`-rf /`", ""),
        ("", ""),
    ],
)
def test_a_command_is_a_program_with_words_and_never_a_shell(name: str, command: str) -> None:
    assert check_commands.of_name(name) == command


@pytest.fixture
def workshop(world: World, tmp_path: Path, settings: Any) -> Workshop:
    settings.DATA_DIR = tmp_path / "data"
    made = Workshop(world.mc, tmp_path)
    made.commit("src/door.txt", "oiled\n")
    return made


@pytest.fixture
def review(workshop: Workshop) -> Review:
    found = build.applied(workshop.project, DOCUMENT)
    found.series.project = workshop.project
    return found


def check(review: Review, n: int) -> Check:
    found = Check.objects.get(review=review, n=n)
    found.review = review
    return found


def allow(review: Review, n: int, world: World) -> None:
    one = check(review, n)
    verifying.allow(one, command=check_commands.of_check(one), allowed=True, by=world.owner)


@pytest.mark.django_db(transaction=True)
class TestAllowing:
    def test_nothing_runs_before_an_owner_allowed_it(self, review: Review, world: World) -> None:
        with pytest.raises(Refused, match="An owner of the project has to allow “cat src/door.txt” first"):
            verifying.ask(check(review, 1), at="", by=world.operator)
        with pytest.raises(Refused, match="No command of its checks is allowed yet"):
            verifying.ask_all(review, at="", by=world.operator)
        assert not Job.objects.filter(kind=verifying.VERIFY_KIND).exists()

    def test_what_is_allowed_is_the_exact_text_that_was_read(self, review: Review, world: World) -> None:
        with pytest.raises(Refused, match="not the one that you read"):
            verifying.allow(check(review, 1), command="cat src/door.txt ", allowed=True, by=world.owner)
        with pytest.raises(Refused, match="names no command"):
            verifying.allow(check(review, 3), command="cat src/door.txt | sh", allowed=True, by=world.owner)
        assert not AllowedCommand.objects.exists()

    def test_another_text_takes_another_yes(self, review: Review, world: World) -> None:
        allow(review, 1, world)
        Check.objects.filter(review=review, n=1).update(name="H1: `cat src/door.txt /etc/passwd`")
        with pytest.raises(Refused, match="has to allow"):
            verifying.ask(check(review, 1), at="", by=world.operator)

    def test_what_is_taken_back_before_it_began_does_not_run(
        self, review: Review, world: World, workshop: Workshop
    ) -> None:
        allow(review, 1, world)
        run = verifying.ask(check(review, 1), at="", by=world.operator)
        verifying.allow(check(review, 1), command="cat src/door.txt", allowed=False, by=world.owner)
        workshop.drain()
        run.refresh_from_db()
        assert (run.state, run.outcome) == ("failed", "")
        assert "not allowed any more" in run.error


@pytest.mark.django_db(transaction=True)
class TestRunning:
    def test_a_run_says_how_it_ended_at_which_commit_and_who_asked(
        self, review: Review, world: World, workshop: Workshop
    ) -> None:
        allow(review, 1, world)
        allow(review, 2, world)
        asked = verifying.ask_all(review, at="", by=world.operator)
        assert verifying.ask(check(review, 1), at="", by=world.operator).pk == asked[0].pk, "once, while it waits"
        workshop.drain()
        head = workshop.git("rev-parse", "HEAD")
        rows = Verification.objects.order_by("pk")
        assert list(rows.values_list("state", "outcome", "exit_code", "commit", "asked_by")) == [
            ("ended", "passed", 0, head, world.operator.pk),
            ("ended", "failed", 1, head, world.operator.pk),
        ]
        assert (rows[0].output, rows[0].command) == ("oiled\n", "cat src/door.txt")
        finding = Finding.objects.get()
        assert [run.pk for run in verifications.proofs(review, [finding])[finding.pk]] == [asked[0].pk]

    def test_it_runs_at_the_commit_that_was_chosen_and_only_at_one_of_the_repository(
        self, review: Review, world: World, workshop: Workshop
    ) -> None:
        allow(review, 1, world)
        before = workshop.git("rev-parse", "HEAD~1")
        old = verifying.ask(check(review, 1), at=before, by=world.operator)
        nowhere = verifying.ask(check(review, 1), at="nowhere", by=world.operator)
        workshop.drain()
        old.refresh_from_db()
        nowhere.refresh_from_db()
        assert (old.commit, old.outcome) == (before, "failed"), "the file was not there yet"
        assert (nowhere.state, "no branch, tag or commit nowhere" in nowhere.error) == ("failed", True)

    def test_runs_outlive_another_reading(self, review: Review, world: World, workshop: Workshop) -> None:
        allow(review, 1, world)
        verifying.ask(check(review, 1), at="", by=world.operator)
        workshop.drain()
        Check.objects.filter(review=review).delete()
        assert Verification.objects.get().state == "ended"


@pytest.mark.pages
@pytest.mark.django_db(transaction=True)
def test_the_page_shows_the_command_before_it_is_allowed_and_the_run_after(
    review: Review, world: World, workshop: Workshop, client: Client
) -> None:
    client.force_login(world.owner, "allauth.account.auth_backends.AuthenticationBackend")
    address = f"/reviews/{review.pk}/"
    page = client.get(address).content.decode()
    assert "This is what would run" in page
    assert 'value="cat src/door.txt"' in page
    sent = client.post(f"{address}checks/1/allow/", {"command": "cat src/other.txt", "allowed": "yes"})
    assert sent.status_code == 409
    assert "not the one that you read" in sent.content.decode()
    client.post(f"{address}checks/1/allow/", {"command": "cat src/door.txt", "allowed": "yes"})
    assert client.post(f"{address}checks/1/run/", {"at": "a..b"}).status_code == 422
    client.post(f"{address}checks/1/run/", {"at": "main"})
    workshop.drain()
    page = client.get(address).content.decode()
    assert page.count("measured: passed") == 2, "beside the check, and at its finding"
    assert "oiled" in page
