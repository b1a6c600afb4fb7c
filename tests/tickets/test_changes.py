"""What a branch changes, as the portal sees it, whatever its agent arranged."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from portal.core import redaction
from tests.tickets.repositories import booby_trap, commit, lines, person, repository
from tickets import changes, git
from tickets.changes import Change

pytestmark = pytest.mark.once


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A worktree on the branch ``work``, begun at ``main``, of a repository beside it."""
    repository(tmp_path / "mc")
    person(tmp_path / "mc", "worktree", "add", "--quiet", "-b", "work", str(tmp_path / "work"), "main")
    return tmp_path / "work"


def seen(folder: Path, *, base: str = "main", target: str = "main", allowed: tuple[str, ...] = ()) -> Change:
    return changes.of(folder, base=base, head="HEAD", target=target, allowed_paths=allowed)


def test_commits_files_and_diff_are_those_of_the_branch(folder: Path) -> None:
    begin = person(folder, "rev-parse", "main")
    one = commit(folder, "One", **{"a.txt": lines(line3="three"), "grün.txt": "new\nfile\n"})
    two = commit(folder, "Two", **{"b.bin": bytes(range(256))})
    found = seen(folder)
    assert found.commits == [(two, "Two"), (one, "One")] and found.commit_count == 2
    assert found.fork == begin and found.moved and found.history_kept
    assert found.files == [("a.txt", 1, 1), ("b.bin", 0, 0), ("grün.txt", 2, 0)]
    assert (found.files_changed, found.insertions, found.deletions) == (3, 3, 1)
    assert "-line 3\n+three\n" in found.diff and "+++ b/grün.txt" in found.diff and found.diff_cut == 0
    assert found.outside == [] and found.uncommitted == []


def test_a_branch_that_did_not_move_has_nothing(folder: Path) -> None:
    found = seen(folder)
    assert not found.moved and found.history_kept
    assert (found.commits, found.commit_count, found.files, found.files_changed, found.diff) == ([], 0, [], 0, "")


def test_what_the_target_got_meanwhile_is_not_the_branchs(folder: Path, tmp_path: Path) -> None:
    own = commit(folder, "Own", **{"b.txt": "own\n"})
    theirs = commit(tmp_path / "mc", "Theirs", **{"c.txt": "theirs\n"})
    assert [path for path, _, _ in seen(folder, base="main~1").files] == ["b.txt"]
    person(folder, "merge", "--quiet", "--no-edit", "main")
    found = seen(folder, base="main~1")
    assert found.fork == theirs and [path for path, _, _ in found.files] == ["b.txt"]
    assert own in dict(found.commits) and theirs not in dict(found.commits) and found.commit_count == 2


def test_commits_since_the_turn_began_are_told_from_the_branchs_files(folder: Path) -> None:
    first = commit(folder, "First turn", **{"b.txt": "b\n"})
    second = commit(folder, "Second turn", **{"c.txt": "c\n"})
    found = seen(folder, base=first)
    assert found.commits == [(second, "Second turn")] and found.files_changed == 2


def test_a_branch_that_was_rewritten_has_not_kept_its_history(folder: Path) -> None:
    base = commit(folder, "First turn", **{"b.txt": "b\n"})
    person(folder, "commit", "--quiet", "--amend", "-m", "Other words")
    found = seen(folder, base=base)
    assert found.moved and not found.history_kept and found.commit_count == 1


def test_a_branch_without_common_history_has_no_fork_and_all_its_files(folder: Path) -> None:
    person(folder, "checkout", "--quiet", "--orphan", "other")
    commit(folder, "Alone", **{"b.txt": "b\n"})
    found = seen(folder)
    assert found.fork == "" and not found.history_kept
    assert [path for path, _, _ in found.files] == ["a.txt", "b.txt"]


def test_lists_are_bounded_and_counts_are_whole(folder: Path) -> None:
    commit(folder, "Many", **{f"src/{n:03}.txt": "x\n" for n in range(20)})
    for n in range(changes.FILES + 1):
        (folder / f"m{n:03}.txt").write_text("x\n")
    person(folder, "add", "--all")
    person(folder, "commit", "--quiet", "-m", "More")
    for n in range(changes.COMMITS + 1):
        person(folder, "commit", "--quiet", "--allow-empty", "-m", f"Commit {n}")
    for n in range(changes.NAMED + 1):
        (folder / f"u{n:03}.txt").write_text("x\n")
    found = seen(folder, allowed=("src/",))
    assert (len(found.commits), found.commit_count) == (changes.COMMITS, changes.COMMITS + 3)
    assert found.commits[0][1] == f"Commit {changes.COMMITS}"
    assert (len(found.files), found.files_changed) == (changes.FILES, changes.FILES + 21)
    assert found.insertions == changes.FILES + 21
    assert (len(found.outside), found.outside_count) == (changes.NAMED, changes.FILES + 1)
    assert (len(found.uncommitted), found.uncommitted_count) == (changes.NAMED, changes.NAMED + 1)


@pytest.mark.parametrize("more", [0, 1])
def test_a_diff_is_kept_to_its_limit_and_the_rest_is_counted(folder: Path, settings: Any, more: int) -> None:
    commit(folder, "Much", **{"é.txt": "é" * 30_000 + "\n"})
    whole = seen(folder).diff
    settings.LIMITS = settings.LIMITS | {"DIFF_MAX_CHARS": len(whole) - more}
    found = seen(folder)
    assert (found.diff, found.diff_cut) == (whole[: len(whole) - more], more)
    settings.LIMITS = settings.LIMITS | {"DIFF_MAX_CHARS": 1000}
    found = seen(folder)
    assert (found.diff, found.diff_cut) == (whole[:1000], len(whole) - 1000)


def test_a_diff_is_stored_without_secrets_also_where_the_cut_would_halve_one(folder: Path, settings: Any) -> None:
    redaction.learn(["correct-horse-battery"])
    commit(folder, "token=correct-horse-battery", **{"b.txt": b"\xff key correct-horse-battery\n"})
    found = seen(folder)
    assert "correct" not in found.diff and "+\ufffd key [redacted]" in found.diff
    assert "correct" not in found.commits[0][1]
    cut = found.diff.index(redaction.MARK) + 5
    settings.LIMITS = settings.LIMITS | {"DIFF_MAX_CHARS": cut}
    assert "corre" not in seen(folder).diff


@pytest.mark.parametrize(
    ("allowed", "outside"),
    [
        ((), []),
        (("src/",), ["docs/deep/b.md", "docs/b.md", "srcs/c.py"]),
        (("src",), ["docs/deep/b.md", "docs/b.md", "srcs/c.py"]),
        (("docs/**/*.md",), ["src/a/b.py", "src/a.py", "srcs/c.py"]),
        (("docs/*.md", "src/"), ["docs/deep/b.md", "srcs/c.py"]),
        (("*.py",), ["docs/deep/b.md", "docs/b.md", "src/a/b.py", "src/a.py", "srcs/c.py"]),
        (("src/*",), ["docs/deep/b.md", "docs/b.md", "src/a/b.py", "srcs/c.py"]),
        (("**/*.py", "docs"), []),
        (("./src/", "src?/", "docs/**"), []),
        (("[x",), ["docs/deep/b.md", "docs/b.md", "src/a/b.py", "src/a.py", "srcs/c.py"]),
        (("-x", "--help"), ["docs/deep/b.md", "docs/b.md", "src/a/b.py", "src/a.py", "srcs/c.py"]),
    ],
)
def test_what_no_pattern_covers_is_outside(folder: Path, allowed: tuple[str, ...], outside: list[str]) -> None:
    files = ("src/a.py", "src/a/b.py", "srcs/c.py", "docs/b.md", "docs/deep/b.md")
    commit(folder, "All", **{name: "x\n" for name in files})
    found = seen(folder, allowed=allowed)
    assert (sorted(found.outside), found.outside_count) == (sorted(outside), len(outside))


def test_both_names_of_a_renamed_file_count_as_changed(folder: Path) -> None:
    (folder / "src").mkdir()
    person(folder, "mv", "a.txt", "src/a.txt")
    person(folder, "commit", "--quiet", "-m", "Move")
    found = seen(folder, allowed=("src/",))
    assert found.outside == ["a.txt"]
    assert found.files == [("src/a.txt", 0, 0)] and "rename from a.txt" in found.diff


def test_uncommitted_are_edits_staged_new_and_removed_files_but_no_ignored_ones(folder: Path) -> None:
    commit(folder, "More", **{".gitignore": "*.log\n", "gone.txt": "x\n", "b.txt": "b\n"})
    (folder / "a.txt").write_text("edited\n")
    (folder / "gone.txt").unlink()
    (folder / "deep").mkdir()
    (folder / "deep" / "new.txt").write_text("new\n")
    (folder / "staged.txt").write_text("staged\n")
    person(folder, "add", "staged.txt")
    (folder / "ignored.log").write_text("ignored\n")
    (folder / "b.txt").touch()
    assert seen(folder).uncommitted == ["a.txt", "gone.txt", "deep/new.txt", "staged.txt"]


def test_names_are_shown_printable_and_counted_one_by_one(folder: Path) -> None:
    for name in (b"-rf", b"new\nline", b"\x1b[2J", b"\xff", "a\u202eb".encode(), b' "q" ', b":(exclude)x"):
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_text("x\n")
    shown = [r" \"q\" ".replace("\\", ""), "-rf", ":(exclude)x", r"\x1b[2J", r"\xff", r"a\u202eb", r"new\nline"]
    assert sorted(seen(folder).uncommitted) == shown
    person(folder, "add", "--all")
    person(folder, "commit", "--quiet", "-m", "a\x1b[31mb\tc")
    found = seen(folder, allowed=("src/",))
    assert sorted(path for path, _, _ in found.files) == sorted(found.outside) == shown
    assert found.commits[0][1] == r"a\x1b[31mb\tc"
    assert found.uncommitted == [] and "\x1b" not in found.diff.replace("\x1b[31m", "")


def test_nothing_that_the_agent_configured_runs_or_counts(folder: Path, tmp_path: Path) -> None:
    commit(folder, "Own", **{"a.txt": lines(line3="three"), "b.dat": "b\n", "c.bin": "text\n"})
    booby_trap(folder, tmp_path / "marks")
    (folder / "a.txt").write_text(lines(line3="edited"))
    (folder / "b.dat").write_text("edited\n")
    found = seen(folder)
    assert list((tmp_path / "marks").iterdir()) == []
    assert "+three" in found.diff and found.uncommitted == ["a.txt", "b.dat", ".gitattributes"]


def test_nothing_that_the_agent_arranged_hides_a_change(folder: Path, tmp_path: Path) -> None:
    base = person(folder, "rev-parse", "HEAD")
    honest = commit(folder, "Own", **{"a.txt": lines(line3="three"), ".gitattributes": "*.txt binary\n"})
    own = Path(person(folder, "rev-parse", "--path-format=absolute", "--git-common-dir"))
    person(folder, "replace", honest, base)
    (own / "info").mkdir(exist_ok=True)
    (own / "info" / "exclude").write_text("hidden.txt\n")
    (own / "info" / "attributes").write_text("* -diff\n")
    (own / "info" / "grafts").write_text(f"{honest}\n")
    person(folder, "config", "core.excludesFile", str(own / "info" / "exclude"))
    person(folder, "config", "status.showUntrackedFiles", "no")
    person(folder, "update-index", "--assume-unchanged", "a.txt")
    (folder / "a.txt").write_text("edited\n")
    (folder / "hidden.txt").write_text("hidden\n")
    found = changes.of(folder, base=base, head=honest, target=base, allowed_paths=[])
    assert "-line 3\n+three\n" in found.diff and found.commit_count == 1 and found.fork == base
    assert found.uncommitted == ["a.txt", "hidden.txt"]


def test_a_repository_inside_the_worktree_is_one_untracked_name(folder: Path, tmp_path: Path) -> None:
    booby_trap(repository(folder / "inner"), tmp_path / "marks")
    assert seen(folder).uncommitted == ["inner/"]
    person(folder, "add", "inner")
    person(folder, "commit", "--quiet", "-m", "A link to it")
    git.git(folder / "inner", "commit", "--allow-empty", "-m", "Further")
    assert seen(folder).uncommitted == ["inner"]
    assert list((tmp_path / "marks").iterdir()) == []


def test_a_commit_that_is_not_there_is_a_failure_and_no_option(folder: Path) -> None:
    for base in ("0" * 40, "--help", "gone"):
        with pytest.raises(git.GitFailed):
            seen(folder, base=base)


def test_a_worktree_that_its_agent_cut_off_is_a_failure(folder: Path) -> None:
    (folder / ".git").unlink()
    with pytest.raises(git.GitFailed, match="not a git repository"):
        seen(folder)


@pytest.mark.parametrize("pattern", ["src/", "docs/**/*.md", "*.py", "a b/ü?.txt", "-x", "...", "a..b/c", "!x"])
def test_a_pattern_of_paths_is_taken(pattern: str) -> None:
    assert changes.pattern_problem(pattern) == ""


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("", "A pattern is empty."),
        (" \t", "A pattern is empty."),
        ("/etc/", "/etc/ is absolute; a pattern is relative to the top of the repository."),
        ("~/x", "~/x is absolute; a pattern is relative to the top of the repository."),
        ("src/../../x", "src/../../x leads out of the repository (..)."),
        ("..", ".. leads out of the repository (..)."),
        (":(exclude)x", ":(exclude)x begins with a colon, which means something else to git."),
        ("a\0b", r"a\x00b contains a character that no pattern may have."),
        ("a\nb", r"a\nb contains a character that no pattern may have."),
        ("a\udc80", r"a\udc80 contains a character that no pattern may have."),
        ("x" * 1001, "A pattern has at most 1000 characters (this one has 1,001)."),
    ],
)
def test_what_can_be_no_pattern_is_refused_in_a_sentence(pattern: str, problem: str) -> None:
    assert changes.pattern_problem(pattern) == problem
