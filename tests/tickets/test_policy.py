"""What a project's settings may be, and how people type them."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tickets import policy

pytestmark = pytest.mark.once

WORDS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=12).filter(str.strip)


@pytest.fixture
def limit(settings: Any) -> Callable[..., None]:
    def change(**values: int) -> None:
        settings.LIMITS = settings.LIMITS | values

    return change


class TestCommands:
    def test_each_line_is_split_as_a_shell_would_and_run_by_none(self) -> None:
        text = "make test\n\n  pytest -k 'a or b' \"$HOME\"; rm -rf / # not a comment\n"
        assert policy.commands_of(text) == [
            ["make", "test"],
            ["pytest", "-k", "a or b", "$HOME;", "rm", "-rf", "/", "#", "not", "a", "comment"],
        ]

    @given(st.lists(st.lists(WORDS, min_size=1, max_size=5), max_size=5))
    def test_what_was_stored_is_typed_and_stored_again_the_same(self, commands: list[list[str]]) -> None:
        commands = [command for command in commands if not policy.command_problem(command)]
        assert policy.commands_of(policy.commands_text(commands)) == commands

    @pytest.mark.parametrize(
        ("line", "why"),
        [
            ("echo 'a", "a quote is opened and not closed."),
            ('echo "a', "a quote is opened and not closed."),
            ("echo a\\", "it ends in a backslash that escapes nothing."),
            ("'' a", "no program is named."),
            ("\u200b", "no program is named."),
            ("a\x1bb", "it contains a line break or another control character."),
            ("a\0b", "it contains a line break or another control character."),
            ("x" * 1001, "a command has at most 1,000 characters, and this one 1,001."),
        ],
    )
    def test_a_line_that_is_no_command_is_named_with_what_is_wrong(self, line: str, why: str) -> None:
        with pytest.raises(policy.Unfit) as caught:
            policy.commands_of(f"true\n\n{line}")
        assert caught.value.problems == [f"Line 3: {why}"]

    def test_a_line_at_its_bound_is_taken(self) -> None:
        assert policy.commands_of("x" * 1000) == [["x" * 1000]]

    def test_there_are_as_many_as_the_limit_says(self, limit: Callable[..., None]) -> None:
        limit(CHECKS_MAX=2)
        assert len(policy.commands_of("a\nb")) == 2
        with pytest.raises(policy.Unfit) as caught:
            policy.commands_of("a\nb\nc")
        assert caught.value.problems == ["At most 2 commands (you sent 3)."]
        assert policy.checks_problem([["a"]] * 2) == ""
        assert policy.checks_problem([["a"]] * 3) == "At most 2 commands (you sent 3)."

    def test_many_bad_lines_are_told_in_a_few(self) -> None:
        with pytest.raises(policy.Unfit) as caught:
            policy.commands_of("'\n" * 9)
        assert len(caught.value.problems) == 6
        assert caught.value.problems[-1] == "And 4 more lines."

    def test_an_argument_with_a_line_break_cannot_be_typed_so_it_is_taken_from_nobody(self) -> None:
        assert policy.checks_problem([["make"], ["sh", "-c", "a\nb"]]).startswith("Number 2: it contains a line break")


class TestPatterns:
    def test_each_line_is_one(self) -> None:
        assert policy.patterns_of(" src/ \n\ndocs/**/*.md") == ["src/", "docs/**/*.md"]

    @pytest.mark.parametrize("pattern", ["/etc", "../x", "x" * 1001, "\u200b", "a\x07b"])
    def test_a_line_that_is_none_is_named(self, pattern: str) -> None:
        with pytest.raises(policy.Unfit, match="^Line 2: "):
            policy.patterns_of(f"src/\n{pattern}")
        assert policy.paths_problem(["src/", pattern]).startswith("Number 2: ")

    def test_there_are_as_many_as_the_limit_says(self, limit: Callable[..., None]) -> None:
        limit(ALLOWED_PATHS_MAX=2)
        assert len(policy.patterns_of("a\nb")) == 2
        with pytest.raises(policy.Unfit, match="At most 2 patterns"):
            policy.patterns_of("a\nb\nc")


class TestBranches:
    @pytest.mark.parametrize("name", ["", "main", "release/2.1", "a-b", "héhé", "x@y", "a.b", "lock", "a{b"])
    def test_a_name_that_git_takes_is_taken(self, name: str) -> None:
        assert policy.branch_problem(name) == ""

    @pytest.mark.parametrize(
        "name",
        ["-d", "@", "HEAD", "a b", "a..b", "a@{1}", "/a", "a/", "a//b", ".a", "a/.b", "a.lock", "a.lock/b", "a."]
        + ["a~1", "a^", "a:b", "a?", "a*", "a[", "a\\b", "a\x7fb", "\u200b"],
    )
    def test_a_name_that_git_refuses_is_refused(self, name: str) -> None:
        assert policy.branch_problem(name)

    @hypothesis_settings(max_examples=150, deadline=None)
    @given(st.text("ab./-@{~^:?*[\\ lock\x7fHEAD", min_size=1, max_size=10))
    def test_git_says_the_same(self, name: str) -> None:
        # These git reads as another name of what is checked out.
        assume(name not in {"@", "HEAD"})
        asked = ["git", "check-ref-format", "--branch", name]
        # Outside of a repository: there, git would look up what a name stands for.
        taken = subprocess.run(asked, capture_output=True, cwd="/", check=False).returncode == 0
        assert (policy.branch_problem(name) == "") == taken


class TestRepositories:
    @pytest.mark.parametrize(
        "text",
        ["", "/srv/git/mc", "mc.git", "https://example.org/mc.git", "ssh://git@example.org:2222/mc.git"]
        + ["git@example.org:mc.git", "file:///srv/mc", "/srv/a:b@c", "git://[::1]/mc"],
    )
    def test_a_path_or_an_address_is_taken(self, text: str) -> None:
        assert policy.repository_problem(text) == ""

    @pytest.mark.parametrize(
        "text",
        ["https://me:hunter2@example.org/x", "https://ghp_token@example.org/x", "ssh://git:hunter2@example.org/x"]
        + ["me:hunter2@example.org:x", "https://:@example.org/x"],
    )
    def test_a_secret_in_it_is_refused_and_not_repeated(self, text: str) -> None:
        problem = policy.repository_problem(text)
        assert "no place for secrets" in problem
        assert "hunter2" not in problem and "ghp_token" not in problem

    @pytest.mark.parametrize(
        "text",
        ["ext::sh -c id", "fd::7", "-u", "--upload-pack=id", "javascript://x", "https://", "ssh://-oProxyCommand=id/x"]
        + ["ssh://-l@example.org/x", "http://[x/", "\u3164", "a\nb"],
    )
    def test_what_git_would_run_or_could_not_fetch_is_refused(self, text: str) -> None:
        assert policy.repository_problem(text)


def test_lines_of_commands_are_what_a_person_would_type() -> None:
    assert policy.commands_text([["make", "test"], ["sh", "-c", "a && b"]]) == "make test\nsh -c 'a && b'"
    assert shlex.split("sh -c 'a && b'") == ["sh", "-c", "a && b"]
