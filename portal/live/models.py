"""Streams and their events: pointers that pages follow; pruned, never history."""

from __future__ import annotations

import secrets
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now


def new_epoch() -> str:
    return secrets.token_hex(4)


class Stream(models.Model):
    """A numbered sequence of pointers for one audience.

    ``head`` is the number of the last event, ``floor`` that of the last pruned
    one. A cursor is ``epoch:number``; a restore renews the epoch, so that a
    number from another life is never believed.
    """

    name = models.CharField(max_length=140, primary_key=True, editable=False)
    epoch = models.CharField(max_length=16, default=new_epoch, editable=False)
    head = models.BigIntegerField(default=0, editable=False)
    floor = models.BigIntegerField(default=0, editable=False)

    class Meta:
        constraints: ClassVar = [models.CheckConstraint(condition=Q(floor__lte=F("head")), name="live_stream_floor")]

    def __str__(self) -> str:
        return self.name


class Event(models.Model):
    """A pointer (kind, object, version) at a number of its stream. Carries no text of a user."""

    pk = models.CompositePrimaryKey("stream", "seq")
    stream = models.ForeignKey(Stream, on_delete=models.CASCADE, db_index=False, editable=False)
    seq = models.BigIntegerField(editable=False)
    kind = models.CharField(max_length=40, editable=False)
    object = models.CharField(max_length=140, editable=False)
    object_version = models.BigIntegerField(editable=False)
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["at"], name="live_event_at")]

    def __str__(self) -> str:
        return f"{self.stream_id} {self.seq}"
