"""An agent's own login: written into its home where it is missing or has changed, through no link of the agent's."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from portal.core import redaction, secrets
from workers.agents import logins
from workers.failures import BadInput

pytestmark = [pytest.mark.django_db, pytest.mark.once]
LOGIN = {".claude/.credentials.json": "claude-login"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "homes" / "dev"
    made.mkdir(parents=True)
    secrets.store("claude-login", '{"accessToken": "tok-4f1c9d2ab77e01", "expires": 1}')
    return made


def test_it_lies_there_for_its_owner_alone(home: Path) -> None:
    old = os.umask(0)
    try:
        logins.write(LOGIN, home)
    finally:
        os.umask(old)
    file = home / ".claude" / ".credentials.json"
    assert json.loads(file.read_text())["accessToken"] == "tok-4f1c9d2ab77e01"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert [path.name for path in file.parent.iterdir()] == [".credentials.json"]
    assert "tok-" not in (home.parent / "dev.login").read_text()


def test_what_the_agents_program_refreshed_is_kept_until_the_secret_changes(home: Path) -> None:
    logins.write(LOGIN, home)
    file = home / ".claude" / ".credentials.json"
    file.write_text('{"accessToken": "refreshed-90aa8d7c6b5e"}')
    logins.write(LOGIN, home)
    assert "refreshed" in file.read_text()
    assert redaction.redact("It is refreshed-90aa8d7c6b5e.") == "It is [redacted]."
    secrets.store("claude-login", "another login")
    logins.write(LOGIN, home)
    assert file.read_text() == "another login"
    file.unlink()
    logins.write(LOGIN, home)
    assert file.read_text() == "another login"


def test_each_token_in_it_is_cut_from_what_is_written_down(home: Path) -> None:
    logins.write(LOGIN, home)
    assert redaction.redact("with tok-4f1c9d2ab77e01 it works") == "with [redacted] it works"


@pytest.mark.parametrize("planted", ["folder", "file", "home"])
def test_no_link_of_the_agents_leads_it_elsewhere(home: Path, tmp_path: Path, planted: str) -> None:
    target = tmp_path / "elsewhere"
    target.mkdir()
    (target / ".credentials.json").write_text("untouched")
    if planted == "folder":
        (home / ".claude").symlink_to(target)
    elif planted == "home":
        home.rmdir()
        home.symlink_to(target)
    else:
        (home / ".claude").mkdir()
        (home / ".claude" / ".credentials.json").symlink_to(target / ".credentials.json")
    if planted == "file":
        logins.write(LOGIN, home)
        assert not (home / ".claude" / ".credentials.json").is_symlink()
    else:
        with pytest.raises(BadInput, match="a link stands in its way"):
            logins.write(LOGIN, home)
    assert (target / ".credentials.json").read_text() == "untouched"
    assert [path.name for path in target.iterdir()] == [".credentials.json"]


def test_a_folder_in_its_place_is_said(home: Path) -> None:
    (home / ".claude" / ".credentials.json").mkdir(parents=True)
    with pytest.raises(BadInput, match="cannot be written into the agent's home: Is a directory"):
        logins.write(LOGIN, home)
    assert [path.name for path in (home / ".claude").iterdir()] == [".credentials.json"]


def test_one_that_is_too_large_or_not_stored_is_refused(home: Path) -> None:
    secrets.store("claude-login", "x" * (logins.MOST_BYTES + 1))
    with pytest.raises(BadInput, match="has 262,145 bytes; a login file has at most 262,144"):
        logins.write(LOGIN, home)
    with pytest.raises(BadInput, match="There is no secret named absent"):
        logins.write({"a": "absent"}, home)


@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", "../up", "a/../../b", "a//b", "a/", "./a", "a\nb", "x" * 201, "a/b/c/d/e/f/g/h/i"]
)
def test_a_path_that_leaves_the_home_is_none(home: Path, path: str) -> None:
    assert logins.fault(path)
    with pytest.raises(BadInput, match="The login cannot be written"):
        logins.write({path: "claude-login"}, home)
    assert list(home.iterdir()) == []
