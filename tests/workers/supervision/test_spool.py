"""The spool reader gives the same text however the file grew and wherever reading was taken up again."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.supervision.spool import SpoolReader, SpoolShrank

pytestmark = pytest.mark.once

pieces = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.text(max_size=20).map(lambda text: text.encode("utf-8", "replace")),
        st.sampled_from([b"\xf0\x9f", b"\x98\x80", b"\xe2\x82", b"\xac", b"\0", b"\xed\xa0\x80", b"\n"]),
    ),
    max_size=20,
)


@given(pieces=pieces, limit=st.integers(1, 70))
def test_the_text_is_the_same_whatever_the_chunking(pieces, limit):
    whole = b"".join(pieces)
    with TemporaryDirectory() as place:
        path = Path(place) / "spool"
        reader, chunks = SpoolReader(path), []
        for piece in pieces:
            with path.open("ab") as file:
                file.write(piece)
            if chunk := reader.read(limit):
                chunks.append(chunk)
        chunks += reader.finish(limit)
        text = whole.decode("utf-8", "replace").replace("\0", "\ufffd")
        assert "".join(chunk.text for chunk in chunks) == text
        # The chunks cover the file without gap or overlap, and each is found again from its own offset.
        assert [chunk.offset for chunk in chunks] == [0, *(chunk.end for chunk in chunks)][: len(chunks)]
        assert not chunks or chunks[-1].end == len(whole)
        for chunk in chunks:
            again = SpoolReader(path, chunk.offset).finish(limit)
            rest = "".join(other.text for other in chunks if other.offset >= chunk.offset)
            assert "".join(other.text for other in again) == rest


def test_an_unfinished_character_waits(tmp_path):
    path = tmp_path / "spool"
    reader = SpoolReader(path)
    assert reader.read() is None
    path.write_bytes(b"a\xe2\x82")
    assert reader.read().text == "a"
    assert reader.read() is None
    assert reader.offset == 1
    path.write_bytes(b"a\xe2\x82\xac")
    chunk = reader.read()
    assert (chunk.offset, chunk.end, chunk.text) == (1, 4, "€")


def test_reading_is_bounded_and_repeatable(tmp_path):
    path = tmp_path / "spool"
    path.write_bytes("é".encode() * 1000)
    first = [SpoolReader(path, 0).read(101) for _ in range(3)]
    assert first[0] == first[1] == first[2]
    assert first[0].end == 100


def test_a_shorter_file_is_refused(tmp_path):
    path = tmp_path / "spool"
    path.write_bytes(b"abc")
    with pytest.raises(SpoolShrank):
        SpoolReader(path, 4).read()
