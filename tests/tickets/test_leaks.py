"""What looks like a secret in a branch is named by its place and kind, and stands nowhere itself."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from portal.core import redaction, secrets
from tests.tickets.private_hosts import private_key
from tests.tickets.repositories import commit, lines, person, repository
from tests.tickets.workshop import Workshop
from tickets import changes, work
from tickets.changes import Change

if TYPE_CHECKING:
    from tests.factories import World

TOKEN = "ghp_" + "0a1B2c3D4e5F" * 3


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A worktree on a branch, beside a repository whose first commit has a secret already."""
    monkeypatch.setattr(redaction, "_known", set())
    repository(tmp_path / "mc")
    commit(tmp_path / "mc", "Old", **{"old.env": f"TOKEN={TOKEN}\n"})
    person(tmp_path / "mc", "worktree", "add", "--quiet", "-b", "work", str(tmp_path / "work"), "main")
    return tmp_path / "work"


def seen(folder: Path) -> Change:
    return changes.of(folder, base="main", head="HEAD", target="main", allowed_paths=())


@pytest.mark.once
def test_each_is_told_by_file_and_line_and_kind(folder: Path) -> None:
    commit(folder, "One", **{"a.txt": lines(line3="three", line8=f'key = "{TOKEN}"'), "deep/id": private_key()[0]})
    url = "x\npostgres://app:s3cr3tpass@db/x\n++ not a header\n@@ -1,2 +3,4 @@\npassword = a1b2c3d4e5f6g7\n"
    commit(folder, "Two", **{"b c.txt": url})
    found = seen(folder).leaks
    assert found.places == [
        "a.txt:8 (access token)",
        "b c.txt:2 (password in an address)",
        "b c.txt:5 (password or token)",
        "deep/id:1 (private key)",
    ]
    assert found.count == 4 and found.whole
    assert TOKEN not in seen(folder).diff and "s3cr3tpass" not in seen(folder).diff


@pytest.mark.once
def test_one_past_what_is_kept_of_the_diff_is_found(folder: Path, settings: Any) -> None:
    settings.LIMITS = {**settings.LIMITS, "DIFF_MAX_CHARS": 1000}
    commit(folder, "Long", **{"a.txt": "word\n" * 5000 + TOKEN, "z.bin": b"\0\1\2" + TOKEN.encode()})
    assert seen(folder).leaks.places == ["a.txt:5001 (access token)", "z.bin:1 (access token)"]


@pytest.mark.once
def test_what_is_taken_away_or_stays_or_is_only_spoken_of_is_none(folder: Path) -> None:
    commit(folder, "Spoken of", **{"old.env": "TOKEN=\n", "a.txt": lines(line2="Bearer authentication is used")})
    words = [
        "skip_whitespace_characters = pkg_resources_extension",
        "password = form.cleaned_data['password']",
        "token: str = request_token_of_the_session",
        "https://user:password@host and https://${USER}:${PASSWORD}@host",
        'if text.startswith("-----BEGIN OPENSSH PRIVATE KEY-----"):',
    ]
    commit(folder, "Words", **{"b.py": "\n".join(words)})
    assert seen(folder).leaks.places == []


@pytest.mark.once
def test_more_than_is_looked_through_is_said(folder: Path, settings: Any) -> None:
    settings.LIMITS = {**settings.LIMITS, "DIFF_SEARCH_BYTES": 1000}
    commit(folder, "Long", **{"a.txt": f"{TOKEN}\n" + "word\n" * 5000})
    found = seen(folder).leaks
    assert (found.count, found.whole) == (1, False)


@pytest.mark.once
def test_the_list_is_bounded_and_the_count_is_whole(folder: Path) -> None:
    commit(folder, "Many", **{"a.txt": f"{TOKEN}\n" * 80})
    found = seen(folder).leaks
    assert (len(found.places), found.count) == (50, 80)


@pytest.mark.once
def test_a_line_that_begins_secrets_without_end_takes_no_long_time() -> None:
    begun = time.process_time()
    assert redaction.redact("-eyJ" * 20_000) == "-eyJ" * 20_000
    assert list(redaction.kinds("-eyJ" * 20_000)) == []
    # Read once for each beginning, it took minutes.
    assert time.process_time() - begun < 5


@pytest.mark.django_db(transaction=True)
@pytest.mark.pages
def test_a_turn_that_commits_a_stored_secret_is_unproven_and_can_be_accepted(
    world: World, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redaction, "_known", set())
    settings.DATA_DIR = tmp_path / "data"
    shop = Workshop(world.mc, tmp_path)
    key = private_key()[0]
    secrets.store("plain", "correct horse battery staple")
    secrets.store("deploy", key)
    # As another process has it, which never opened them.
    redaction._known.clear()
    body = key.splitlines()[2]
    text = f"one\nsay correct horse battery staple\n{body}\n"
    ticket = shop.ticket()
    turn = shop.turn(ticket, [["write", "src/a", text], ["commit", "x"], ["signal", "DONE", "done"]])
    assert (ticket.state, turn.proven) == ("unproven", False)
    said = "Looks like a secret: src/a:2 (stored secret), src/a:3 (stored secret)."
    assert turn.measurement.reasons == [said]
    assert "correct horse" not in turn.measurement.diff and body not in turn.measurement.diff
    assert "+one" in turn.measurement.diff
    assert not redaction._known & {body}
    ticket.refresh_from_db()
    work.accept(ticket, expected_version=ticket.version, by=world.reviewer, reason="It is an example.")
    ticket.refresh_from_db()
    assert ticket.state == "merging"
