"""Any table and any list of objects, by the names in them or by a mapping."""

from __future__ import annotations

import json

import pytest

from reviews.importing import BadInput, Mapping, ParsedReview, mapping_of, parse

pytestmark = pytest.mark.once


def read(text: str, mapping: Mapping | None = None) -> ParsedReview:
    return parse(text.encode(), mapping=mapping)


def mapped(**fields: str) -> Mapping:
    return Mapping(tuple(fields.items()))


@pytest.mark.parametrize(
    "text",
    [
        "ID,Title,Severity,File,Line\nK-1,Lid is loose,High,lid.py,3\n",
        "ID;Title;Severity;File;Line\r\nK-1;Lid is loose;High;lid.py;3\r\n",
        "ID\tTitle\tSeverity\tFile\tLine\nK-1\tLid is loose\tHigh\tlid.py\t3\n",
        '"ID","Title","Severity","File","Line"\n"K-1","Lid is loose","High","lid.py","3"\n',
        "sep=;\nID;Title;Severity;File;Line\nK-1;Lid is loose;High;lid.py;3\n",
        "\ufeffLine,File,Severity,Title,ID\n3,lid.py,High,Lid is loose,K-1\n",
        "Nr;Titel;Schweregrad;Datei;Line\nK-1;Lid is loose;Hoch;lid.py;3\n",
        "id,name,severity,file_path,start_line\nK-1,Lid is loose,high,lid.py,3\n",
    ],
    ids=["commas", "semicolons", "tabs", "quotes", "sep", "order and mark", "German", "snake"],
)
def test_a_table_is_read_by_the_names_of_its_columns(text: str) -> None:
    review = read(text)
    [finding] = review.findings
    assert review.form == "csv" and review.notes == ()
    assert (finding.title, finding.severity, finding.files, finding.ref) == (
        "Lid is loose",
        "high",
        ("lid.py:3",),
        "K-1",
    )
    assert finding.line_start == review.text.count("\n", 0, review.text.index("K-1")) + 1 and finding.ticket_key is None


def test_the_key_of_a_ticket_is_one_only_in_a_column_of_tickets() -> None:
    findings = read("ID,Title,Severity,Ticket\nCWE-79,Lid,High,\nX-1,Base,Low,MC-14\n").findings
    assert [(finding.ref, finding.ticket_key) for finding in findings] == [("CWE-79", None), ("X-1", "MC-14")]


def test_a_cell_of_several_lines_moves_the_lines_of_those_below() -> None:
    review = read('Title,Severity,Description\nLid,High,"one\n""two""\nthree"\nBase,Low,four\n,Low,none\n\n')
    assert [(f.title, f.line_start, f.line_end, f.body) for f in review.findings] == [
        ("Lid", 2, 4, 'one\n"two"\nthree'),
        ("Base", 5, 5, "four"),
    ]
    [left] = review.left_out
    assert (left.line_start, left.reason) == (6, "a row of a table without a title")


def test_columns_that_say_nothing_known_are_kept_as_fields() -> None:
    [finding] = read("Title,Severity,Budget,Status\nLid,High,4 cups,False positive\n").findings
    assert dict(finding.fields) == {"Budget": "4 cups"}
    assert (finding.status, finding.status_reason) == ("rejected", "False positive")


def test_a_row_that_is_too_long_or_whose_line_is_none_is_told() -> None:
    review = read("Title,Severity,File,Line\nLid,High,a.py,soon\nBase,Low,b.py,3,x\nTap,Low,c.py,3-9\n")
    assert [finding.files for finding in review.findings] == [("a.py",), ("b.py:3",), ("c.py:3-9",)]
    assert [note.lines for note in review.notes] == [(2,), (3,)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('Title,Severity,File\nLid,High,"a.py\nBase,Low,b.py\n', "broken at line 2"),
        ('Title,Severity,File\nLid,High,a.py\n"Base"x,Low,b.py\n', "broken at line 3"),
    ],
)
def test_a_table_whose_quotes_do_not_close_is_refused_with_its_line(text: str, said: str) -> None:
    with pytest.raises(BadInput, match=said) as refused:
        read(text)
    assert refused.value.code == "broken_csv"


@pytest.mark.parametrize(
    "text",
    [
        "Title, severity and files of each\n\n- **Lid is loose** (`lid.py`) - wobbles\n",
        "Severity, status, file: what we looked at.\nThen came tea.\n",
        "| ID, Title | Severity |\n|---|---|\n| K-1 | High |\n",
        "# Title, Severity\n\ntext\n",
        "name,age\nada,36\n",
    ],
)
def test_prose_with_commas_is_no_table(text: str) -> None:
    assert read(text).form == "markdown"


OBJECTS = [
    {"title": "Lid is loose", "severity": "high", "path": "lid.py", "line": 3, "owner": "ada"},
    {"title": "Base is wet", "severity": "warning", "path": "base.py", "line": 9, "tags": ["a", "b"]},
]


@pytest.mark.parametrize(
    "value",
    [
        OBJECTS,
        {"findings": OBJECTS},
        {"meta": {"n": 1}, "report": {"issues": OBJECTS}},
        {"odd": OBJECTS, "files": ["x"]},
    ],
)
def test_a_list_of_objects_is_found_and_read_by_their_names(value: object) -> None:
    review = read(json.dumps(value, indent=1))
    assert review.form == "json"
    assert [(f.title, f.severity, f.files) for f in review.findings] == [
        ("Lid is loose", "high", ("lid.py:3",)),
        ("Base is wet", "medium", ("base.py:9",)),
    ]
    assert dict(review.findings[0].fields) == {"owner": "ada"}
    assert dict(review.findings[1].fields) == {"tags": "a, b"}


def test_names_inside_of_objects_are_understood() -> None:
    entry = {
        "check_id": "tea.lid",
        "path": "lid.py",
        "start": {"line": 3, "col": 1},
        "end": {"line": 5},
        "extra": {"message": "Lid is loose", "severity": "ERROR", "metadata": {"cwe": ["CWE-20: Tea"]}},
    }
    [finding] = read(json.dumps({"results": [entry], "errors": []})).findings
    assert (finding.title, finding.severity, finding.files, finding.rule) == (
        "Lid is loose",
        "high",
        ("lid.py:3-5",),
        "tea.lid",
    )
    assert dict(finding.fields)["Weakness"] == "CWE-20"


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ('[{"age": 3, "size": {"cm": 4}}]', "no_title", '"age", "size.cm"'),
        ('{"a": 1, "b": {}}', "no_findings_list", '"a", "b"'),
        ('{"a": [{"title": "t", "line": 1}], "b": [{"title": "u", "line": 1}]}', "several_lists", '"a", "b"'),
    ],
)
def test_what_has_no_title_or_no_list_is_refused_and_says_what_it_has(text: str, code: str, said: str) -> None:
    with pytest.raises(BadInput) as refused:
        read(text)
    assert refused.value.code == code and said in refused.value.message


def test_an_entry_without_a_title_is_left_out_with_its_line() -> None:
    review = read('[\n{"title": "Lid", "line": 1},\n{"title": " ", "line": 2},\n7]')
    assert [finding.title for finding in review.findings] == ["Lid"]
    assert [(piece.line_start, piece.reason) for piece in review.left_out] == [
        (3, "an entry of a list without a title"),
        (4, "an entry that is no object"),
    ]


def test_a_mapping_wins_over_what_is_known() -> None:
    text = "Title,Severity,Was,Wie\nx,High,Lid is loose,ganz schlimm\n"
    mapping = Mapping((("title", "was"), ("severity", "Wie")), severities=(("GANZ SCHLIMM", "critical"),))
    [finding] = read(text, mapping).findings
    assert (finding.title, finding.severity, finding.severity_as_written) == (
        "Lid is loose",
        "critical",
        "ganz schlimm",
    )
    assert dict(finding.fields) == {"Title": "x", "Severity": "High"}


def test_a_mapping_of_json_names_paths_and_the_list() -> None:
    entry = {"what": {"text": "Lid is loose"}, "where": [{"p": "lid.py", "l": 3}], "st": "meh", "title": "no"}
    mapping = Mapping(
        (("title", "what.text"), ("file", "where[0].p"), ("line", "where[0].l"), ("status", "st")),
        statuses=(("meh", "deferred"),),
        items="a.b",
    )
    [finding] = read(json.dumps({"findings": [], "a": {"b": [entry]}}), mapping).findings
    assert (finding.title, finding.files, finding.status) == ("Lid is loose", ("lid.py:3",), "deferred")
    sarif = json.dumps({"version": "2.1.0", "runs": [{"text": "Lid", "results": []}]})
    assert read(sarif, Mapping((("title", "text"),), items="runs")).findings[0].title == "Lid"


@pytest.mark.parametrize(
    ("text", "mapping", "said"),
    [
        ("Title,Level\nx,High\n", mapped(title="Was", severity="Level"), '"Was", and the table has only "Title"'),
        ("# Review\n\ntext\n", mapped(title="Was"), 'names "Was"'),
        ('[{"a": 1}]', mapped(title="b.c"), 'names "b.c", and no entry has that'),
        ('{"a": 1}', Mapping((("title", "b"),), items="x.y"), 'under "x.y"'),
    ],
)  # fmt: skip
def test_a_column_that_a_mapping_names_and_nobody_has_is_refused_by_name(
    text: str, mapping: Mapping, said: str
) -> None:
    with pytest.raises(BadInput) as refused:
        read(text, mapping)
    assert refused.value.code == "no_column" and said in refused.value.message


def test_a_mapped_name_that_is_null_everywhere_is_there() -> None:
    [finding] = read('[{"a": "Lid", "b": null}]', mapped(title="a", fix="b")).findings
    assert finding.title == "Lid"


def test_a_mapping_is_kept_and_read_again() -> None:
    mapping = Mapping((("title", "Was"),), (("schlimm", "high"),), (("zu", "fixed"),), "a.b")
    assert mapping_of(json.loads(json.dumps(mapping.stored()))) == mapping


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        ([], "is an object"),
        ({"fields": {}}, "which column is the title"),
        ({"fields": {"title": "a", "colour": "b"}}, "colour is no part of a finding"),
        ({"fields": {"title": 3}}, "says a word for each word"),
        ({"fields": {"title": "x" * 300}}, "more than 200 characters"),
        ({"fields": {"title": "a"}, "severities": {"bad": "awful"}}, "awful is none of critical, high"),
        ({"fields": {"title": "a"}, "statuses": {"bad": "x"}}, "x is none of open"),
        ({"fields": {"title": "a"}, "items": 3}, "`items`"),
        ({"fields": {"title": "a"}, "more": 3}, "has no more"),
    ],
)
def test_a_mapping_that_is_none_is_refused_and_says_why(stored: object, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        mapping_of(stored)


def test_ten_thousand_rows_are_read_in_their_order() -> None:
    rows = "".join(f"K-{n},Tap {n} drips,low,f{n % 7}.py\n" for n in range(10_000))
    findings = read(f"ID,Title,Severity,File\n{rows}").findings
    assert [finding.line_start for finding in findings] == list(range(2, 10_002))
