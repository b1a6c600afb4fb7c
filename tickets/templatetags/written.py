"""``{% load written %}``: text of people as a page may show it.

- ``{{ ticket.title|written }}``: isolated in its own direction, with marks that turn it made visible
- ``{{ ticket.title|coded }}``: the same, with what is between `back ticks` as code, for the titles that documents give
- ``{{ ticket.title|plainly }}``: the same without elements, for titles and attributes
- ``{{ message.body|markdown }}``: as Markdown, see ``portal.core.markdown``; inside ``<div class="prose" dir="auto">``
- ``{{ commit|short }}``: the first characters of a commit
"""

from __future__ import annotations

import re
from typing import Final

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from portal.core.markdown import render, visible

register = template.Library()
_CODE: Final = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")


@register.filter
def plainly(text: object) -> str:
    return visible(str(text))


@register.filter
def written(text: object) -> SafeString:
    return format_html("<bdi>{}</bdi>", plainly(text))


@register.filter
def coded(text: object) -> SafeString:
    pieces = enumerate(_CODE.split(plainly(text)))
    # Every second piece is what stood between two marks.
    shown = ((format_html("<code>{}</code>", piece) if n % 2 else piece,) for n, piece in pieces)
    return format_html("<bdi>{}</bdi>", format_html_join("", "{}", shown))


@register.filter
def markdown(text: object) -> SafeString:
    return render(str(text))


@register.filter
def short(commit: str, characters: int = 9) -> str:
    return commit[:characters]
