"""Times of freezes, by the clocks of their own zone: ``{% load freezes %}``, ``{% in_zone moment zone %}``."""

from __future__ import annotations

from datetime import datetime

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from workers import calendars

register = template.Library()


@register.simple_tag
def in_zone(moment: datetime, zone: str, short: bool = False) -> SafeString:
    """A day and a time; the page's own zone has no part in it. ``short``: without the year."""
    there = moment.astimezone(calendars.zone(zone))
    said = f"{there:%a %-d %b %H:%M}" if short else f"{there:%a %-d %b %Y %H:%M}"
    return format_html('<time datetime="{}" class="nw">{}</time>', there.isoformat(), said)
