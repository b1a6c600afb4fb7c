"""Lines come out the same whatever the chunking, and nothing is lost without a count."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.agents.adapters.reader import LINE_LIMIT, Line, LineReader

pytestmark = pytest.mark.once


def read(pieces, limit=LINE_LIMIT) -> list[Line]:
    reader = LineReader(limit=limit)
    return [line for piece in pieces for line in reader.feed(piece)] + reader.finish()


@given(
    data=st.lists(st.sampled_from([b"a", b"\n", b"\r\n", b"\xff", b"\0"]), max_size=60).map(b"".join),
    cuts=st.lists(st.integers(0, 200), max_size=10),
    limit=st.integers(1, 12),
)
def test_lines_are_the_same_whatever_the_chunking(data, cuts, limit):
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[a:b] for a, b in zip(edges, edges[1:], strict=False)]
    lines = read(pieces, limit)
    assert lines == read([data], limit)
    expected = data.split(b"\n")
    if expected[-1] == b"":
        expected.pop()
    assert [line.data for line in lines] == [line[:limit] for line in expected]
    assert [line.cut for line in lines] == [max(0, len(line) - limit) for line in expected]
    for line, whole in zip(lines, expected, strict=True):
        assert data[line.offset : line.offset + len(whole)] == whole


@pytest.mark.parametrize(("size", "cut"), [(LINE_LIMIT, 0), (LINE_LIMIT + 1, 1)])
def test_the_limit_and_one_more(size, cut):
    (line,) = read([b"x" * size + b"\n"])
    assert (len(line.data), line.cut) == (LINE_LIMIT, cut)
    assert line.text.endswith(" [1 bytes cut]") == bool(cut)


def test_the_text_of_a_line_is_storable():
    (line,) = read([b"a\0\xff\x1b[0m\r"])
    assert line.text == "a\ufffd\ufffd\x1b[0m"


def test_empty_lines_are_lines():
    assert [line.offset for line in read([b"\n\n\n"])] == [0, 1, 2]


def test_a_long_line_without_end_is_held_in_bounded_memory():
    reader = LineReader(limit=1000)
    for _ in range(1000):
        assert reader.feed(b"x" * 10_000) == []
    assert len(reader._kept) == 1000
    assert reader.finish()[0].cut == 10_000_000 - 1000
