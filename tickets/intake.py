"""What an agent asks, read tolerantly: any payload becomes a bounded question, and nothing of it is lost in silence.

What is unfit (an option twice, a default that names none, a deadline that no
person could keep) is left out of the form and stands in the text instead, so
that whoever answers still sees it.
"""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from portal.core import clock, limits
from portal.core.redaction import redact
from portal.core.storable import storable
from portal.core.unseen import is_unseen

WORDLESS: Final = "The agent asks without words."
MINUTE_SECONDS: Final = 60
MOMENT_CHARS: Final = 40
# Of the text, for what had no place in the form; and how much of one such thing is shown.
BESIDE_PART: Final = 4
BESIDE_CHARS: Final = 300
BESIDE_MOST: Final = 30
# An option is read so many times as far as it is shown: what is cut off it stands in the text.
LINE_PARTS: Final = 4
_KNOWN: Final = ("question", "text", "options", "default", "deadline_minutes", "deadline")


@dataclass(frozen=True, slots=True)
class Option:
    label: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as it can be stored. ``default`` is a place among the options, from 0."""

    text: str
    options: tuple[Option, ...] = ()
    default: int | None = None
    deadline_minutes: int | None = None


@dataclass(slots=True)
class _Reading:
    """What was read so far; ``beside`` are sentences about what had no place."""

    options: list[Option] = field(default_factory=list)
    # where each kept option stood, and its label before it was cut
    places: list[int] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    twice: set[str] = field(default_factory=set)
    beside: list[str] = field(default_factory=list)

    def leave(self, name: str, value: object, why: str) -> None:
        if len(self.beside) < BESIDE_MOST:
            self.beside.append(f"- {name}: {_shown(value)}" + (f" ({why})" if why else ""))
        elif len(self.beside) == BESIDE_MOST:
            self.beside.append("- and more, which is cut here")


def asked(payload: str | Mapping[str, object], now: datetime | None = None) -> Asked:
    """The question that a signal's payload holds. ``now`` is the database's time; it is asked for where it is needed.

    Never raises, whatever the payload is.
    """
    if not isinstance(payload, Mapping):
        # Typed as one of two, but read from what a program printed.
        return Asked(_text(payload, []) if isinstance(payload, str) else _text("", [f"- {_shown(payload)}"]))
    reading = _Reading()
    said = _question(payload, reading)
    _read_options(payload.get("options"), reading)
    default = _default(payload.get("default"), reading)
    minutes = _minutes(payload, now, reading)
    for name, value in payload.items():
        if len(reading.beside) > BESIDE_MOST:
            break
        if name not in _KNOWN:
            reading.leave(_line(str(name), BESIDE_CHARS), value, "")
    return Asked(_text(said, reading.beside), tuple(reading.options), default, minutes)


# Its parts -----------------------------------------------------------------------------


def _question(payload: Mapping[str, object], reading: _Reading) -> str:
    found = ""
    for name in ("question", "text"):
        value = payload.get(name)
        if value is None or isinstance(value, str) and is_unseen(value):
            continue
        if isinstance(value, str) and not found:
            found = value
        elif value != found:
            reading.leave(name, value, "beside the question")
    return found


def _read_options(given: object, reading: _Reading) -> None:
    if given is None:
        return
    if not isinstance(given, list | tuple):
        reading.leave("options", given, "no list")
        return
    most = limits.value("QUESTION_OPTIONS")
    for place, one in enumerate(given):
        if len(reading.options) == most or place == 2 * most:
            reading.leave("more options", list(given[place:]), f"{len(given) - place} beside the first")
            return
        label, detail, more = _parts(one)
        if is_unseen(label):
            reading.leave(f"option {place + 1}", one, "no label")
        elif label in reading.labels:
            reading.twice.add(label)
            reading.leave(f"option {place + 1}", one, "offered twice")
        else:
            _keep(place, label, detail, reading)
            if more:
                reading.leave(f"option {place + 1}", more, "beside its label")


def _parts(one: object) -> tuple[str, str, dict[str, object]]:
    """Label, detail, and what else an option says."""
    if isinstance(one, str):
        return _line(one), "", {}
    if not isinstance(one, Mapping) or not isinstance(one.get("label"), str):
        return "", "", {}
    detail = one.get("detail")
    more = {str(name): value for name, value in one.items() if name not in {"label", "detail"}}
    if detail is not None and not isinstance(detail, str):
        more["detail"] = detail
    return _line(str(one["label"])), _line(detail) if isinstance(detail, str) else "", more


def _keep(place: int, label: str, detail: str, reading: _Reading) -> None:
    most = limits.value("OPTION_MAX_CHARS")
    kept = Option(_cut(label, most), _cut(detail, most))
    if kept.label in {option.label for option in reading.options}:
        # Two long ones with one beginning: nobody could tell them apart.
        reading.leave(f"option {place + 1}", label, "begins like another, and is too long to tell them apart")
        return
    reading.options.append(kept)
    reading.places.append(place)
    reading.labels.append(label)
    for name, whole, short in (("label", label, kept.label), ("detail", detail, kept.detail)):
        if whole != short:
            reading.leave(f"{name} of option {place + 1}", whole, f"longer than {most} characters")


def _default(given: object, reading: _Reading) -> int | None:
    """It takes effect by itself, so it is kept only where it names one option without doubt."""
    if given is None:
        return None
    if isinstance(given, int) and not isinstance(given, bool) and given in reading.places:
        return reading.places.index(given)
    label = _line(given) if isinstance(given, str) else ""
    if label in reading.labels and label not in reading.twice:
        return reading.labels.index(label)
    reading.leave("default", given, "it names no option")
    return None


def _minutes(payload: Mapping[str, object], now: datetime | None, reading: _Reading) -> int | None:
    first, last = limits.value("QUESTION_DEADLINE_FIRST_MINUTES"), limits.value("QUESTION_DEADLINE_LAST_MINUTES")
    found: int | None = None
    for name in ("deadline_minutes", "deadline"):
        given = payload.get(name)
        if given is None:
            continue
        minutes = _whole(given) if name == "deadline_minutes" else _until(given, now)
        if minutes is None:
            reading.leave(name, given, "no time that could be read")
        elif found is not None:
            reading.leave(name, given, "beside the other deadline")
        elif minutes < first:
            reading.leave(name, given, f"sooner than {first} minutes: it is not kept")
        elif minutes > last:
            reading.leave(name, given, f"later than {last} minutes: it is not kept")
        else:
            found = minutes
    return found


def _whole(given: object) -> int | None:
    if isinstance(given, bool):
        return None
    if isinstance(given, float) and math.isfinite(given):
        return math.ceil(given)
    return given if isinstance(given, int) else None


def _until(given: object, now: datetime | None) -> int | None:
    if not isinstance(given, str) or len(given) > MOMENT_CHARS:
        return None
    try:
        moment = datetime.fromisoformat(given.strip())
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return math.ceil((aware - (now or clock.now())).total_seconds() / MINUTE_SECONDS)
    except (ValueError, OverflowError):
        return None


# Text ----------------------------------------------------------------------------------


def _text(said: str, beside: list[str]) -> str:
    most = limits.value("QUESTION_MAX_CHARS")
    if not beside:
        return _clean(said, most) or WORDLESS
    more = _clean("\n".join(["What else it says:", *beside]), most // BESIDE_PART)
    return f"{_clean(said, most - len(more) - 2) or WORDLESS}\n\n{more}"


def _clean(text: str, most: int) -> str:
    """Without secrets, as a database keeps it, and at most so long; redacted before it is cut, in bounded time."""
    text = text.strip()
    begins = storable(redact(text[: 2 * most])).strip()
    found = _cut(begins, most, longer=len(text) > 2 * most)
    return "" if is_unseen(found) else found


def _cut(text: str, most: int, *, longer: bool = False) -> str:
    """At most ``most`` characters, and a mark where there were more. ``longer``: the text goes on beyond ``text``."""
    return text[: most - len(_mark(most))] + _mark(most) if longer or len(text) > most else text


def _mark(most: int) -> str:
    return f" [cut at {most:,} characters]" if most > BESIDE_CHARS else "…"


def _line(text: str, most: int | None = None) -> str:
    """On one line, without secrets."""
    most = most or LINE_PARTS * limits.value("OPTION_MAX_CHARS")
    text = text.strip()
    spaced = "".join(" " if unicodedata.category(letter) == "Cc" else letter for letter in text[: 2 * most])
    return _cut(storable(redact(" ".join(spaced.split()))), most, longer=len(text) > 2 * most)


def _shown(value: object) -> str:
    """Any value on one line."""
    try:
        written = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    except (TypeError, ValueError, RecursionError, OverflowError):
        return "what cannot be shown"
    return _line(written, BESIDE_CHARS)
