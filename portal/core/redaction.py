"""One redaction, for logs, prompts, events, outputs and error texts.

Two sources: the values that the secret store holds in this process, and the
shapes that credentials are known to have. What is cut is replaced by a mark
that says what it was, never by a part of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import unquote

MARK: Final = "[redacted]"
SHORTEST_VALUE_CHARS: Final = 6

_SHAPES: Final = re.compile(
    r"""
    (?P<key>-----BEGIN\ [A-Z ]*PRIVATE\ KEY-----.*?(?:-----END\ [A-Z ]*PRIVATE\ KEY-----|\Z))
    | (?P<token>\b(?:ghp|gho|ghs|ghr|github_pat|glpat|xox[abprs]|sk-ant|sk-proj|sk|rk|pk|AKIA|ASIA|srm)
        [_-]?[A-Za-z0-9_\-]{16,}\b)
    # Bounded: a run of beginnings without an end would be read once for each of them.
    | (?P<jwt>\beyJ[A-Za-z0-9_-]{10,1024}\.[A-Za-z0-9_-]{10,8192}\.[A-Za-z0-9_-]{5,}\b)
    | (?P<bearer>(?<=bearer\ )[A-Za-z0-9._~+/=-]{12,})
    | (?P<url>(?<=://)[^/\s:@]*:[^/\s]+(?=@))
    | (?P<pair>\b(?:password|passwd|secret|token|api[_-]?key|access[_-]?key)\b["']?\s*[:=]\s*["']?
        | [?&](?:X-(?:Amz|Goog)-)?(?:Signature|sig)=)
        (?P<value>[^\s"',;}]{6,})
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_known: set[str] = set()
_KINDS: Final = {
    "key": "private key",
    "token": "access token",
    "jwt": "signed token",
    "bearer": "access token",
    "url": "password in an address",
    "pair": "password or token",
}
# What stands in examples, and what a program puts in; of all but these shapes more is asked than to be cut.
_PASSWORD: Final = re.compile(r"[A-Za-z0-9._~%!$&*+,;=@-]{6,}")
_EXAMPLE: Final = re.compile(r"[$%].*|(.)\1*|password|passwd|secret|example|changeme", re.IGNORECASE)
_KEY_GOES_ON: Final = re.compile(r"\s*(\Z|\\[nr]|[A-Za-z0-9+/])")
_RANDOM: Final = re.compile(r"(?=(?:\D*\d){3})(?=(?:[^A-Za-z]*[A-Za-z]){3})[A-Za-z0-9+/=_.~-]{12,}")


def learn(values: Iterable[str]) -> None:
    """From now on these values are cut from everything this process writes."""
    _known.update(value for value in values if len(value) >= SHORTEST_VALUE_CHARS)


@contextmanager
def knowing(value: str) -> Iterator[None]:
    """Cut ``value`` within the block: what is secret for a while must not be looked for ever after."""
    new = value not in _known
    learn([value])
    try:
        yield
    finally:
        if new:
            _known.discard(value)


def install() -> None:
    """Learn the installation's own keys at start."""
    from django.conf import settings

    learn([settings.SECRET_KEY, settings.SECRETS_KEY])
    for url in (settings.DATABASE_URL, settings.REDIS_URL, settings.EMAIL_URL):
        found = re.search(r"://[^/\s:@]*:([^/\s]+)@", url)
        if found:
            # As it is written in the URL, and as the server is told.
            learn([found[1], unquote(found[1])])


def redact(text: str) -> str:
    """``text`` without secrets; the rest is untouched."""
    # Longest first: a value that contains another must not leave a tail.
    for value in sorted(_known, key=len, reverse=True):
        if value in text:
            text = text.replace(value, MARK)
    return _SHAPES.sub(_replacement, text)


def kinds(text: str) -> Iterator[str]:
    """In words, each secret that ``text`` holds for certain enough to tell somebody.

    Stricter than ``redact``, which may cut too much: a word that happens to stand after "token" is none.
    """
    if any(value in text for value in _known):
        yield "stored secret"
    for match in _SHAPES.finditer(text):
        shape = match.lastgroup or ""
        shape = "pair" if shape == "value" else shape
        held = match["value"] or match[0]
        if _is_sure(shape, held):
            yield _KINDS[shape]


def _is_sure(shape: str, held: str) -> bool:
    match shape:
        case "url":
            password = held.partition(":")[2]
            return bool(_PASSWORD.fullmatch(password)) and not _EXAMPLE.fullmatch(password)
        case "key":
            # Its head alone stands in programs that look for one.
            return bool(_KEY_GOES_ON.match(held.partition("PRIVATE KEY-----")[2]))
        case "jwt":
            return True
        case _:
            return bool(_RANDOM.fullmatch(held))


def _replacement(match: re.Match[str]) -> str:
    return f"{match['pair']}{MARK}" if match["pair"] else MARK
