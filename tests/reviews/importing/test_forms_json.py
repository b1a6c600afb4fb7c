"""JSON as people and programs break it, and the lines of what is read from it."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from reviews.importing import BadInput, parse
from reviews.importing.text import MAX_BYTES, MAX_FORM_BYTES

pytestmark = pytest.mark.once


def sarif(*results: object, indent: int | None = 1) -> str:
    tool = {"driver": {"name": "Kettler"}}
    return json.dumps({"version": "2.1.0", "runs": [{"tool": tool, "results": results}]}, indent=indent)


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ('{"version": "2.1.0",\n "runs": [\n  {"results": [}]}', "line 3, column 16", "'}' closes what was"),
        ('{"version": "2.1.0",\n "runs": [', "line 2, column 11", "ends before what line 2 opens is closed"),
        ('{"version": "2.1.0",\n "runs": ["a]}', "line 2, column 11", "a text is not closed"),
        ('{"version": "2.1.0",\n "runs" []}', "line 2, column 9", "':'"),
        ('[{"a": 1},\n {"é": 1 "b": 2}]', "line 2, column 10", "','"),
        ('[{"a": 1}\n {"b": 2}]', "line 2, column 2", "','"),
        ('[{"a": NaN}]', "line 1, column 8", "NaN is no number of JSON"),
        ('[{"t": "NaN",\n "a": -Infinity}]', "line 2, column 7", "-Infinity is no number of JSON"),
        ('[{"a": 1}]\n}', "line 2, column 1", "nothing more was expected"),
        ('[{"a": "x\ty"}]', "line 1, column 10", "control character"),
        ('[{"a": 01}]', "line 1, column 9", ""),
        ('[{"a": tru}]', "line 1, column 8", ""),
    ],
)  # fmt: skip
def test_broken_json_is_refused_with_its_line_and_column(text: str, where: str, what: str) -> None:
    with pytest.raises(BadInput) as refused:
        parse(text.encode())
    assert refused.value.code == "broken_json"
    assert where in refused.value.message and what in refused.value.message


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ('[{"a":\n ' + "[" * 101 + "]" * 101 + "}]", "too_deep", 2),
        ('[{"a":\n ' + "[" * 300_000, "too_deep", 2),
        ('[{"a":\n' + "9" * 5_000 + "}]", "huge_number", 2),
        ('[{"a":\n1e999}]', "huge_number", 2),
        ('[{"title": "t", "a":\n"' + "x" * 1_100_000 + '"}]', "too_large", 2),
    ],
    ids=["deep", "deeper", "long", "infinite", "text"],
)
def test_what_no_report_needs_is_refused_with_its_line(text: str, code: str, line: int) -> None:
    with pytest.raises(BadInput, match=rf"line {line}\.$") as refused:
        parse(text.encode())
    assert refused.value.code == code


def test_a_key_that_stands_twice_is_told_and_the_last_one_counts() -> None:
    review = parse(b'[{"title": "Lid",\n "severity": "low",\n "severity": "high"}]')
    assert [finding.severity for finding in review.findings] == ["high"]
    [note] = review.notes
    assert "severity" in note.text and note.lines == (3,)


def test_a_finding_has_the_lines_of_its_object() -> None:
    results = [{"message": {"text": f'Tap "{n}" }}] drips\n'}, "properties": {"n": [1, {"x": n}]}} for n in range(40)]
    text = sarif(*results)
    lines = text.split("\n")
    findings = parse(text.encode()).findings
    assert len(findings) == 40
    for n, finding in enumerate(findings):
        part = "\n".join(lines[finding.line_start - 1 : finding.line_end]).strip().rstrip(",")
        assert json.loads(part) == results[n]


def test_json_on_one_line_is_on_line_one_whatever_the_line_ends_and_the_encoding() -> None:
    text = sarif({"message": {"text": "Kühler läuft"}}, indent=None)
    for data in (text.encode(), text.encode("utf-8-sig"), text.encode("utf-16"), f"\r\n{text}\r\n".encode()):
        [finding] = parse(data).findings
        assert finding.title == "Kühler läuft" and finding.line_start == finding.line_end
    assert parse(text.encode()).findings[0].line_start == 1


def test_crlf_moves_no_line() -> None:
    text = sarif({"message": {"text": "Lid"}}, {"message": {"text": "Base"}})
    assert [f.line_start for f in parse(text.replace("\n", "\r\n").encode()).findings] == [
        f.line_start for f in parse(text.encode()).findings
    ]


def test_letters_that_no_database_keeps_are_replaced() -> None:
    [finding] = parse(rb'[{"title": "Lid \u0000 \ud800 \u0007 loose", "severity": "low"}]').findings
    assert finding.title == "Lid \ufffd \ufffd \ufffd loose"
    finding.title.encode()


def test_pages_printed_after_each_other_are_read_as_one_list() -> None:
    data = b'[{"title": "Lid", "severity": "low"}]\n[{"title": "Base", "severity": "low"}][]\n'
    assert [(f.title, f.line_start) for f in parse(data).findings] == [("Lid", 1), ("Base", 2)]
    lines = b'{"title": "Lid", "severity": "low"}\n{"title": "Base", "severity": "low"}\n'
    assert [(f.title, f.line_start) for f in parse(lines).findings] == [("Lid", 1), ("Base", 2)]


@pytest.mark.parametrize(
    "text",
    [
        '{"mc_signal": "DONE", "nonce": "n"}\n\n# Review\n\n### H1. Lid is loose\n',
        '{"level": "info"} started\n\n### H1. Lid is loose\n',
        "[x] checked\n\n### H1. Lid is loose\n",
        "[] unchecked\n\n### H1. Lid is loose\n",
        "{{ template }}\n\n### H1. Lid is loose\n",
        "[1] https://example.org\n\n### H1. Lid is loose\n",
    ],
)
def test_prose_that_begins_like_json_stays_prose(text: str) -> None:
    review = parse(text.encode())
    assert [finding.title for finding in review.findings] == ["Lid is loose"] and review.form == "markdown"


def test_a_signal_alone_is_a_work_log() -> None:
    review = parse(b'{"mc_signal": "DONE", "nonce": "n"}\n')
    assert review.signal is not None and review.form == "markdown"


@pytest.mark.parametrize("opening", [b"\x1f\x8b\x08", b"PK\x03\x04"])
def test_a_packed_report_is_refused_by_name(opening: bytes) -> None:
    with pytest.raises(BadInput, match="packed") as refused:
        parse(opening + b"\x00" * 3_000_000)
    assert refused.value.code == "packed"


def test_a_report_above_the_limit_is_refused_by_it() -> None:
    with pytest.raises(BadInput, match=str(MAX_FORM_BYTES)):
        parse(b"[{" + b" " * MAX_FORM_BYTES + b"}]")


def test_a_long_report_is_read_whole_and_its_text_is_kept_in_part() -> None:
    results = [{"message": {"text": f"Tap {n} drips {'drop ' * 300}"}} for n in range(1_500)]
    data = sarif(*results).encode()
    assert len(data) > MAX_BYTES
    review = parse(data)
    assert len(review.findings) == 1_500 and len(review.text.encode()) <= MAX_BYTES
    kept = review.text.count("\n") + 1
    assert f"Its first {kept} lines are kept as its text" in review.notes[0].text
    assert data.decode().startswith(review.text)
    last = data.split(b"\n")[review.findings[-1].line_start - 1 : review.findings[-1].line_end]
    assert json.loads(b"".join(last)) == results[-1]


_MEASURED = """
import sys
from reviews.importing import parse
def memory(name):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(name)) / 1024
parse(b'# R')
parse(b'{"version": "2.1.0", "runs": []}')
before = memory("VmRSS")
data = sys.stdin.buffer.read()
found = len(parse(data).findings)
print(found, len(data) / 2**20, memory("VmHWM") - before)
"""


def test_a_report_costs_less_than_three_times_its_bytes() -> None:
    text = "word " * 1_000
    data = sarif(
        *({"message": {"text": f"Tap {n} drips"}, "properties": {"more": text}} for n in range(2_500))
    ).encode()
    done = subprocess.run([sys.executable, "-c", _MEASURED], input=data, capture_output=True, check=True, timeout=60)
    found, size, added = (float(part) for part in done.stdout.split())
    assert (found, size > 10) == (2_500, True)
    assert added < 3 * size, re.sub(r"\s+", " ", done.stdout.decode())
