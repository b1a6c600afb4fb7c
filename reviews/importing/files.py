"""Documents on disk to JSON files: what the command line does, with Django and without."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from reviews.importing import parse
from reviews.importing.export import to_json
from reviews.importing.model import BadInput
from reviews.importing.text import MAX_FORM_BYTES


def parse_files(sources: Iterable[Path], out: Path) -> Iterator[tuple[Path, str, bool]]:
    """Write one JSON per document into `out`; yields (source, what happened, whether it was parsed)."""
    out.mkdir(parents=True, exist_ok=True)
    for source in sources:
        try:
            with source.open("rb") as stream:
                # One byte more than allowed is enough to know that the limit is passed.
                data = stream.read(MAX_FORM_BYTES + 1)
            parsed = parse(data, name=source.name)
        except BadInput as refused:
            yield source, f"refused ({refused.code}): {refused.message}", False
            continue
        except OSError as error:
            yield source, f"not readable: {error.strerror or error}", False
            continue
        target = out / f"{source.stem}.json"
        target.write_text(json.dumps(to_json(parsed, source.stem), ensure_ascii=False, indent=1), encoding="utf-8")
        yield source, f"{len(parsed.findings)} findings", True
