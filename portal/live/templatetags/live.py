"""``{% live "ticket:MC-1" "project:3" url=fragment_url %}``: the attributes that make an element live.

The cursor must be older than what the element shows. A view that reads its
data itself puts ``streams.cursors(...)`` into its context as ``live_cursors``
first; otherwise the tag reads the cursors where it stands, before what the
template reads after it.
"""

from __future__ import annotations

from typing import Any

from django import template
from django.template import Context
from django.utils.html import format_html
from django.utils.safestring import SafeString

from portal.live import streams

register = template.Library()


@register.simple_tag(takes_context=True)
def live(context: Context, *names: str, url: str = "") -> SafeString:
    """Attributes of an element that shows these streams; ``url`` answers with its content."""
    where = _cursors(context, names)
    known = " ".join(where[name] for name in names)
    attributes = format_html('data-live="{}" data-live-cursor="{}"', " ".join(names), known)
    return format_html('{} data-live-url="{}"', attributes, url) if url else attributes


@register.simple_tag(takes_context=True)
def live_output(context: Context, name: str, url: str = "", lines: int = 2000) -> SafeString:
    """Attributes of an element to which the text of an output stream is appended; ``url`` re-reads it whole."""
    where = _cursors(context, (name,))
    attributes = format_html(
        'data-live="{}" data-live-cursor="{}" data-live-output data-live-lines="{}"', name, where[name], lines
    )
    return format_html('{} data-live-url="{}"', attributes, url) if url else attributes


def _cursors(context: Context, names: tuple[str, ...]) -> dict[str, str]:
    known: dict[str, Any] = context.get("live_cursors") or {}
    missing = [name for name in names if name not in known]
    return known | streams.cursors(*missing) if missing else known
