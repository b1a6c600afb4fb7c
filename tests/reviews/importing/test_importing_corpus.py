"""The annotated documents, scored with the corpus' own scorer: a floor a little under what is reached."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from reviews.importing.files import parse_files

pytestmark = pytest.mark.once

FLOORS = {"precision": 0.97, "recall": 0.97, "f1": 0.975}


def test_the_annotated_documents_are_read_well(shared_dir: Path, tmp_path: Path) -> None:
    corpus = shared_dir / "corpus"
    if not (corpus / "score.py").is_file():
        pytest.skip("the annotated corpus is not there")
    out = tmp_path / "predictions"
    results = list(parse_files(sorted((corpus / "docs").glob("*.md")), out))
    assert all(parsed for _, _, parsed in results)
    scorer = subprocess.run(
        [sys.executable, str(corpus / "score.py"), str(out), "--json", str(tmp_path / "score.json")],
        capture_output=True,
        text=True,
        check=True,
    )
    reached = json.loads((tmp_path / "score.json").read_text(encoding="utf-8"))["summary"]
    for name, floor in FLOORS.items():
        assert reached[name] >= floor, scorer.stdout
