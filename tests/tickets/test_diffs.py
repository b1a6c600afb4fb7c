"""Unified diffs as a page shows them: files, numbers, bounds, and hostile text."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tickets import diffs

pytestmark = pytest.mark.once

PLAIN = """diff --git a/relay/outbox.py b/relay/outbox.py
index 1111111..2222222 100644
--- a/relay/outbox.py
+++ b/relay/outbox.py
@@ -88,4 +88,4 @@ def drain(conn, batch)
 def drain(conn, batch):
-    send(row)
--- not a header
+    send(row)
+++ nor this
 done
\\ No newline at end of file
"""


def rows(text: str, n: int = 0) -> list[tuple[str, str, str, str]]:
    return [(line.tone, line.old, line.new, line.text) for line in diffs.read(text).files[n].lines]


def test_lines_have_the_numbers_of_their_sides() -> None:
    assert rows(PLAIN) == [
        ("hunk", "", "", "@@ -88,4 +88,4 @@ def drain(conn, batch)"),
        ("", "88", "88", " def drain(conn, batch):"),
        ("del", "89", "", "-    send(row)"),
        ("del", "90", "", "--- not a header"),
        ("add", "", "89", "+    send(row)"),
        ("add", "", "90", "+++ nor this"),
        ("", "91", "91", " done"),
        ("", "", "", "\\ No newline at end of file"),
    ]
    file = diffs.read(PLAIN).files[0]
    assert (file.path, file.what, file.insertions, file.deletions) == ("relay/outbox.py", "changed", 2, 2)


@pytest.fixture
def git_diff(tmp_path: Path) -> str:
    """What git itself prints for names, modes and kinds of files that are easy to get wrong."""

    def git(*arguments: str) -> str:
        options = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false"]
        done = subprocess.run(["git", "-C", str(tmp_path), *options, *arguments], capture_output=True, check=True)
        return done.stdout.decode()

    git("init", "-q")
    (tmp_path / "old name.txt").write_text("".join(f"line {n}\n" for n in range(30)))
    (tmp_path / "gone.txt").write_text("bye\n")
    (tmp_path / "run.sh").write_text("true\n")
    (tmp_path / "picture.bin").write_bytes(b"\0\1\2")
    git("add", ".")
    git("commit", "-qm", "one")
    git("mv", "old name.txt", "new name.txt")
    (tmp_path / "gone.txt").unlink()
    (tmp_path / "run.sh").chmod(0o755)
    (tmp_path / "picture.bin").write_bytes(b"\0\3\4")
    (tmp_path / 'é "q"\t.txt').write_text("new\n")
    (tmp_path / "diff --git a").mkdir()
    (tmp_path / "diff --git a" / "b b").write_text("diff --git a/x b/x\n--- a/x\n")
    git("add", "-A")
    return git("diff", "--cached", "-M")


def test_what_git_says_of_a_file_is_named(git_diff: str) -> None:
    files = {file.path: file for file in diffs.read(git_diff).files}
    assert set(files) == {
        "new name.txt", "gone.txt", "run.sh", "picture.bin", 'é "q"\t.txt', "diff --git a/b b",
    }  # fmt: skip
    assert (files["new name.txt"].what, files["new name.txt"].before) == ("renamed", "old name.txt")
    assert files["gone.txt"].what == "deleted" and files["gone.txt"].deletions == 1
    assert files["run.sh"].mode == "100755" and not files["run.sh"].lines
    assert files["picture.bin"].binary
    assert files['é "q"\t.txt'].what == "added"
    assert files["diff --git a/b b"].insertions == 2


def test_markup_and_marks_of_direction_are_text() -> None:
    text = PLAIN.replace("+    send(row)", "+<script>alert(1)</script> \u202e & \r x")
    html = str(diffs.read(text).files[0].html)
    assert "&lt;script&gt;" in html and "<script" not in html
    assert "[U+202E]" in html and "\u202e" not in html and "\r" not in html


@pytest.mark.parametrize("end", range(0, len(PLAIN), 7))
def test_a_diff_that_is_cut_anywhere_is_read_as_far_as_it_goes(end: int) -> None:
    files = diffs.read(PLAIN[:end]).files
    assert len(files) == (end >= len("diff --git "))


@pytest.mark.parametrize("text", ["", "\n", "no diff", "@@ -1 +1 @@\n-a\n+b", "+++", "diff --git", "diff --git \nx"])
def test_what_is_no_diff_gives_nothing_and_no_error(text: str) -> None:
    assert [file.lines for file in diffs.read(text).files] in ([], [[]])


def big(files: int, lines: int, width: int = 30) -> str:
    parts = []
    for n in range(files):
        parts.append(f"diff --git a/f{n}.py b/f{n}.py\n--- a/f{n}.py\n+++ b/f{n}.py\n@@ -0,0 +1,{lines} @@\n")
        parts += [f"+{'x' * width}\n"] * lines
    return "".join(parts)


def test_lines_files_and_long_lines_are_bounded_and_said() -> None:
    diff = diffs.read(big(2, diffs.LINES_SHOWN))
    assert [len(file.lines) + file.left_out for file in diff.files] == [diffs.LINES_SHOWN + 1] * 2
    assert diff.files[1].left_out == diffs.LINES_SHOWN + 1 - (diffs.LINES_SHOWN - len(diff.files[0].lines))
    assert diff.files[1].insertions == diffs.LINES_SHOWN, "what is not shown is counted"
    many = diffs.read(big(diffs.FILES_SHOWN + 3, 1))
    assert (len(many.files), many.more) == (diffs.FILES_SHOWN, 3)
    assert rows(big(1, 1, diffs.LINE_CHARS + 9))[1][3].endswith("10 characters are cut here")


def test_a_long_diff_opens_its_first_files() -> None:
    files = diffs.read(big(5, 900)).files
    assert [file.open for file in files] == [True, True, False, False, False]


def test_four_hundred_kilobytes_are_laid_out_whole() -> None:
    text = big(20, 600)
    assert len(text) > 350_000
    assert sum(str(file.html).count("<span class=") for file in diffs.read(text).files) == 20 * 601
