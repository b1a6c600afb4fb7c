"""`python -m reviews.importing FILE... --out DIR`: parse documents without Django."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from reviews.importing.files import parse_files


def main() -> int:
    parser = argparse.ArgumentParser(prog="reviews.importing", description="Parse review documents to JSON.")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR")
    options = parser.parse_args()
    failed = False
    for source, said, parsed in parse_files(options.files, options.out):
        failed = failed or not parsed
        print(f"{source.name}: {said}", file=sys.stdout if parsed else sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
