"""``{% load written %}``: text of people as a page may show it.

- ``{{ ticket.title|written }}``: isolated in its own direction, with marks that turn it made visible
- ``{{ ticket.title|plainly }}``: the same without elements, for titles and attributes
- ``{{ message.body|markdown }}``: as Markdown, see ``portal.core.markdown``; inside ``<div class="prose" dir="auto">``
- ``{{ commit|short }}``: the first characters of a commit
"""

from __future__ import annotations

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from portal.core.markdown import render, visible

register = template.Library()


@register.filter
def plainly(text: object) -> str:
    return visible(str(text))


@register.filter
def written(text: object) -> SafeString:
    return format_html("<bdi>{}</bdi>", plainly(text))


@register.filter
def markdown(text: object) -> SafeString:
    return render(str(text))


@register.filter
def short(commit: str, characters: int = 9) -> str:
    return commit[:characters]
