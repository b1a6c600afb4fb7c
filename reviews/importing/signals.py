"""A work log's last word: a line of JSON such as {"mc_signal": "DONE", "nonce": "..."}; stored, never acted on."""

from __future__ import annotations

import json
from dataclasses import replace

from reviews.importing.document import Document
from reviews.importing.model import LeftOut, Signal
from reviews.importing.reconcile import Selection

MAX_SIGNAL_LINE = 20_000
MAX_SIGNALS = 200
_KEYS = ("mc_signal", "signal", "turn_signal", "agent_signal")


def signal_of(document: Document) -> Signal | None:
    """The last signal line of the document."""
    tried = 0
    for number in range(len(document.lines), 0, -1):
        line = document.lines[number - 1].strip()
        if not (line.startswith("{") and line.endswith("}")) or len(line) > MAX_SIGNAL_LINE:
            continue
        tried += 1
        signal = _read(line, number)
        if signal is not None or tried > MAX_SIGNALS:
            return signal
    return None


def _read(line: str, number: int) -> Signal | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    name = next((value[key] for key in _KEYS if isinstance(value.get(key), str)), None)
    if name is None:
        return None

    def text(key: str) -> str | None:
        found = value.get(key)
        return None if found is None else found if isinstance(found, str) else json.dumps(found)

    return Signal(name, number, text("ticket"), text("nonce"), text("payload"))


def without_narrative(selection: Selection) -> Selection:
    """In a work log, what is told along the way is no finding: only headings and tables with refs are."""
    chosen = tuple(c for c in selection.chosen if c.shape in ("heading", "row") and c.parts.ref is not None)
    kept = {c.line_start for c in chosen}
    told = tuple(
        LeftOut(c.line_start, c.line_end, c.title[:200], "told in a work log")
        for c in selection.chosen
        if c.line_start not in kept
    )
    left = sorted((*selection.left_out, *told), key=lambda piece: piece.line_start)
    return replace(selection, chosen=chosen, left_out=tuple(left))
