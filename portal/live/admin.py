"""Streams in the admin: to be looked at."""

from __future__ import annotations

from django.contrib import admin

from portal.core.adminsite import ReadOnly
from portal.live.models import Stream


@admin.register(Stream)
class StreamPage(ReadOnly):
    list_display = ("name", "head", "floor", "epoch")
    search_fields = ("name",)
    ordering = ("name",)
