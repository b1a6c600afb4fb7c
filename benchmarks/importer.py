"""How well documents are read, and how fast: the annotated ones beside the repository, and the project's own.

    python benchmarks/importer.py [--shared DIR]

Prints JSON. Figures of correctness are those of the corpus' own scorer. Of the
project's own documents a third was never looked at while the reader was
written: ``own_held_out``. The floor is markdown-it-py, which tells what the
blocks of a document are and nothing more; ``ratio`` is our time over its.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from markdown_it import MarkdownIt  # noqa: E402

from reviews.importing import parse  # noqa: E402
from reviews.importing.files import parse_files  # noqa: E402

OWN = ROOT / "tests" / "reviews" / "importing" / "written"
ROUNDS = 10


def main() -> None:
    parser = argparse.ArgumentParser(description="How well documents are read, and how fast.")
    beside = os.environ.get("SHIPROOM_SHARED") or ROOT.parent / "shared"
    parser.add_argument("--shared", type=Path, default=Path(beside), help="the folder with the corpus and its scorer")
    corpus: Path = parser.parse_args().shared / "corpus"
    if not (corpus / "score.py").is_file():
        raise SystemExit(f"{corpus} has no score.py: name the folder of the corpus with --shared.")
    found = {
        "corpus": scored(corpus, corpus / "docs", corpus / "truth", corpus / "split.json", "dev"),
        "own": scored(corpus, OWN / "docs", OWN / "truth", OWN / "split.json", "dev"),
        "own_held_out": scored(corpus, OWN / "docs", OWN / "truth", OWN / "split.json", "holdout"),
        "speed": speed(sorted((corpus / "docs").glob("*.md"))),
    }
    print(json.dumps(found, indent=1))


def scored(corpus: Path, documents: Path, truth: Path, split: Path, part: str) -> dict[str, Any]:
    """The summary of the corpus' scorer over one part of some annotated documents."""
    with tempfile.TemporaryDirectory(prefix="sr-importer-") as folder:
        out, said = Path(folder) / "read", Path(folder) / "score.json"
        for _ in parse_files(sorted(documents.glob("*.md")), out):
            pass
        argv = [sys.executable, str(corpus / "score.py"), str(out), "--truth", str(truth), "--split", part]
        argv += ["--split-file", str(split), "--json", str(said)]
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
        summary: dict[str, Any] = json.loads(said.read_text(encoding="utf-8"))["summary"]
    return {name: value for name, value in summary.items() if not isinstance(value, dict | list)}


def speed(documents: list[Path]) -> dict[str, float]:
    """Seconds for all documents: ours, and of the parser of markdown alone, in turns."""
    contents = [path.read_bytes() for path in documents]
    markdown = MarkdownIt("gfm-like", {"linkify": False})
    ours, floor = [], []
    for content in contents:
        parse(content)
    for _ in range(ROUNDS):
        began = time.process_time()
        for content in contents:
            parse(content)
        between = time.process_time()
        for content in contents:
            markdown.parse(content.decode("utf-8", "replace"))
        ours.append(between - began)
        floor.append(time.process_time() - between)
    return {
        "documents": len(contents),
        "bytes": sum(map(len, contents)),
        "ours_seconds": round(statistics.median(ours), 4),
        "floor_seconds": round(statistics.median(floor), 4),
        "ratio": round(statistics.median(a / b for a, b in zip(ours, floor, strict=True)), 2),
    }


if __name__ == "__main__":
    main()
