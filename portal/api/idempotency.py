"""The header ``Idempotency-Key``: what is asked again under the same key is done once, and answered alike.

The key is a row, the first that the transaction of an operation writes. It is
committed with the effect and holds the answer, so a crash between the two
leaves neither, and so does a refusal. Whoever comes with the same key
meanwhile waits for that row, holding nothing, and reads the answer in it.

Answers are kept as they were sent. No operation answers with a secret: a
token is issued in the admin alone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from ninja.errors import HttpError

from portal.core import access, limits
from portal.core.access import Rule
from portal.core.lifecycle import Refused
from portal.core.models import Idempotency, User
from portal.core.unit import unit_of_work

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotent-Replayed"
# In OpenAPI's words, for every operation that writes.
PARAMETER: Final = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "The same request again under the same key is done once, and answered alike.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[!-~]+$"},
}
_KEY: Final = re.compile(r"[!-~]{1,64}")
_LOCK_NOT_AVAILABLE: Final = "55P03"


class BadKey(HttpError):
    """The header, or a form that it is sent with, cannot be read."""

    field = HEADER

    def __init__(self, message: str) -> None:
        super().__init__(400, message)


@dataclass(frozen=True, slots=True)
class Asked:
    """One person's key, and what they ask for under it."""

    user: User
    key: str
    operation: str
    rule: Rule
    digest: str


def asked(request: HttpRequest, user: User, operation: str, rule: Rule) -> Asked | None:
    """What the request asks for under a key; None where it sends none. Raises ``BadKey``."""
    key = request.headers.get(HEADER)
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        raise BadKey(f"{HEADER} is 1 to 64 visible ASCII characters, without a space.")
    return Asked(user, key, operation, rule, _digest(request))


def once(wanted: Asked, enter: Callable[[], str], act: Callable[[], HttpResponse]) -> HttpResponse:
    """Do it, and keep the answer under its key; or answer as the first time.

    ``enter`` finds what it is done to, checks the right to it and returns its
    scope: under this scope the right is checked again before an answer is
    given again, for the thing itself may be gone. Raises ``Refused`` where the
    key was used for something else.
    """
    with unit_of_work():
        row, made = _take(wanted)
        if not made:
            return _again(row, wanted)
        scope = enter()
        answer = act()
        kept = answer.content if len(answer.content) <= limits.value("IDEMPOTENCY_ANSWER_MAX_BYTES") else None
        Idempotency.objects.filter(pk=row.pk).update(scope=scope, status=answer.status_code, answer=kept)
        return answer


def _take(wanted: Asked) -> tuple[Idempotency, bool]:
    """The row of the key, and whether it is ours. The first lock of its transaction: waiting for it stops nobody."""
    new = {"operation": wanted.operation, "digest": wanted.digest}
    try:
        return Idempotency.objects.get_or_create(user=wanted.user, key=wanted.key, defaults=new)
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", "") != _LOCK_NOT_AVAILABLE:
            raise
        raise Refused(f"The first request with this {HEADER} still runs. Send it again in a moment.") from error


def _again(row: Idempotency, wanted: Asked) -> HttpResponse:
    if (row.operation, row.digest) != (wanted.operation, wanted.digest):
        raise Refused(f"This {HEADER} was used for another operation, address or body. Send this one with a new key.")
    access.check(wanted.user, wanted.rule, row.scope)
    if row.answer is None:
        most = limits.value("IDEMPOTENCY_ANSWER_MAX_BYTES")
        raise Refused(f"This was done. Its answer had more than {most:,} bytes and was not kept: read what it changed.")
    answer = HttpResponse(bytes(row.answer), content_type="application/json; charset=utf-8", status=row.status)
    answer[REPLAYED] = "true"
    return answer


def _digest(request: HttpRequest) -> str:
    """SHA-256 of the address and of what is sent: the body's bytes, or a form's parts, whose boundary differs."""
    found = hashlib.sha256()
    parts = _form(request) if request.content_type == "multipart/form-data" else [request.body]
    for part in (request.path.encode(), *parts):
        # Each by its own digest: two parts are never read as one.
        found.update(hashlib.sha256(part).digest())
    return found.hexdigest()


def _form(request: HttpRequest) -> Iterator[bytes]:
    try:
        fields, files = request.POST, request.FILES
    except MultiPartParserError as error:
        raise BadKey(f"The form cannot be read: {error}") from None
    for name, values in fields.lists():
        yield from (word.encode() for value in values for word in ("field", name, value))
    for name, several in files.lists():
        for file in several:
            yield from (str(word).encode() for word in ("file", name, file.name, file.content_type))
            yield _of_file(file)


def _of_file(file: Any) -> bytes:
    found = hashlib.sha256()
    for chunk in file.chunks():
        found.update(chunk)
    return found.digest()
