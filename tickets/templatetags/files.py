"""``{% load files %}``: ``{% if attachment|picture %}``, ``{{ attachment|kind }}``."""

from __future__ import annotations

from typing import Final

from django import template

from tickets import attachments
from tickets.models import Attachment

register = template.Library()
_KINDS: Final = {
    "application/octet-stream": "file",
    "application/pdf": "PDF",
    "application/x-executable": "program",
    "application/x-msdownload": "program",
    "text/plain": "text",
    "video/mp4": "video",
}


@register.filter
def picture(attachment: Attachment) -> bool:
    """Whether a page may show it as a small picture."""
    return attachments.is_shown(attachment)


@register.filter
def kind(attachment: Attachment) -> str:
    """What its bytes say it is, in a word."""
    found = _KINDS.get(attachment.media_type)
    return found or attachment.media_type.rpartition("/")[2].removeprefix("x-").removesuffix("-compressed").upper()
