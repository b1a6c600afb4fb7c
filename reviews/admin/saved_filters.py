"""Filters that people saved: looked at, and deleted where one that is shared is no use."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from portal.core.adminsite import Record
from portal.core.deeds import Deed
from reviews import saved_filters
from reviews.models import SavedFilter
from tickets.admin.asking import Button


def delete(saved: SavedFilter, asked: dict[str, Any], request: HttpRequest) -> str:
    saved_filters.delete(saved)
    return f"{saved.name} is deleted."


@admin.register(SavedFilter)
class SavedFilterPage(Record):
    list_display = ("name", "user", "shared", "query", "at")
    list_filter = ("shared",)
    list_select_related = ("user",)
    search_fields = ("name", "user__email")
    ordering = ("-id",)
    deeds = (Deed("delete", "Delete it", Button, delete, danger=True),)
