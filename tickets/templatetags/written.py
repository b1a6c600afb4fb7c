"""``{% load written %}``: text of people as a page may show it.

- ``{{ ticket.title|written }}``: isolated in its own direction, with marks that turn it made visible
- ``{{ ticket.title|plainly }}``: the same without elements, for titles and attributes
- ``{{ commit|short }}``: the first characters of a commit
"""

from __future__ import annotations

import re
from typing import Final

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()
_TURNING: Final = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@register.filter
def plainly(text: object) -> str:
    return _TURNING.sub(lambda found: f"[U+{ord(found[0]):04X}]", str(text))


@register.filter
def written(text: object) -> SafeString:
    return format_html("<bdi>{}</bdi>", plainly(text))


@register.filter
def short(commit: str, characters: int = 9) -> str:
    return commit[:characters]
