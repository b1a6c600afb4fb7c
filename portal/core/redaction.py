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
    | (?P<jwt>\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{5,}\b)
    | (?P<bearer>(?<=bearer\ )[A-Za-z0-9._~+/=-]{12,})
    | (?P<url>(?<=://)[^/\s:@]*:[^/\s]+(?=@))
    | (?P<pair>\b(?:password|passwd|secret|token|api[_-]?key|access[_-]?key)\b["']?\s*[:=]\s*["']?
        | [?&](?:X-(?:Amz|Goog)-)?(?:Signature|sig)=)
        (?P<value>[^\s"',;}]{6,})
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_known: set[str] = set()


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


def _replacement(match: re.Match[str]) -> str:
    return f"{match['pair']}{MARK}" if match["pair"] else MARK
