"""The history takes lines of many writers, whole, and an effect with a key once."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.soak import history
from tests.soak.history import History

pytestmark = pytest.mark.once


def together(number: int, act: Callable[[int], object]) -> None:
    """In so many processes at once."""
    pids = []
    for n in range(number):
        pid = os.fork()
        if pid == 0:
            try:
                act(n)
            finally:
                os._exit(0)
        pids.append(pid)
    for pid in pids:
        assert os.waitpid(pid, 0)[1] == 0


def test_lines_of_many_processes_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "history"
    together(6, lambda n: [History(path, f"w{n}").write("said", words=str(n) * 3000) for _ in range(10)])
    lines = history.read(path)
    assert len(lines) == 60
    assert all(line["words"] == line["who"][1:] * 3000 for line in lines)
    assert [line["mono"] for line in lines] == sorted(line["mono"] for line in lines)


def test_an_effect_with_a_key_is_one_however_many_have_it_at_once(tmp_path: Path) -> None:
    path = tmp_path / "history"
    together(8, lambda n: [History(path, f"w{n}").once("effect", f"key-{k}") for k in range(5)])
    keys = [line["key"] for line in history.read(path)]
    assert sorted(keys) == [f"key-{k}" for k in range(5)]
    assert History(path, "t").has("effect", "key-1")
    assert not History(path, "t").has("effect", "key")
    assert not History(path, "t").has("other", "key-1")
