"""What the operations have in common: strict bodies, versions, pages by key, how things are found."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Final

from django.db.models import QuerySet
from ninja import Field, Schema
from pydantic import AfterValidator, ConfigDict, StrictBool, StrictInt

from portal.api.doors import Unfit
from portal.core.doors import Found
from portal.core.unseen import is_unseen
from tickets.fields import HIGHEST_ID
from tickets.models import Project

REASON_CHARS: Final = 2000
ID = Annotated[StrictInt, Field(ge=1, le=HIGHEST_ID)]
# strict: true and "1" are no versions
Version = Annotated[StrictInt, Field(ge=1, le=2**31 - 1)]
Flag = StrictBool


def _seen(text: str) -> str:
    if is_unseen(text):
        raise ValueError("Say it in words: this is blank.")
    return text


Seen = Annotated[str, AfterValidator(_seen)]
Reason = Annotated[str, Field(max_length=REASON_CHARS), AfterValidator(_seen)]


class Strict(Schema):
    """A name that is not declared is refused, not ignored."""

    model_config = ConfigDict(extra="forbid")


class Paged(Strict):
    """Which page of a list, newest first."""

    before: int | None = Field(None, ge=1, le=2**62)
    limit: int = Field(50, ge=1, le=100)


class Versioned(Strict):
    """A change of a row as it was read: a repeated call is refused, not doubled."""

    version: Version


def page(rows: QuerySet[Any], asked: Paged, shown: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    """A page by key: as fast at any depth. ``next`` is None on the last."""
    if asked.before:
        rows = rows.filter(pk__lt=asked.before)
    found = list(rows.order_by("-pk")[: asked.limit + 1])
    held = found[: asked.limit]
    return {"items": [shown(row) for row in held], "next": str(held[-1].pk) if len(found) > len(held) else None}


def moment(when: datetime | None) -> str | None:
    return when.isoformat(timespec="seconds") if when else None


def project_by_key(key: str) -> Found | None:
    project = Project.objects.filter(key=key).first()
    return Found(project, project.scope) if project else None


def bounded(field: str, text: str, most: int, *, required: bool = False) -> str:
    """``text``, unless it is longer than a limit, or blank where words are needed."""
    if required and is_unseen(text):
        raise Unfit(field, f"{field} is needed, and is blank.")
    if len(text) > most:
        raise Unfit(field, f"{field} has at most {most:,} characters; yours has {len(text):,}.", 413)
    return text


def decoded(field: str, text: str, most: int) -> bytes:
    """The bytes of a base64 text; more than ``most`` are not decoded."""
    if len(text) > most * 4 // 3 + 4:
        raise Unfit(field, f"{field} has at most {most} bytes.", 413)
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Unfit(field, f"{field} is not base64.") from None
