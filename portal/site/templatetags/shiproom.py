"""Icons, badges, severities and times, for the templates of every app.

``{% load shiproom %}``:

- ``{% icon "run" %}``, ``{% icon "run" label="Running" tone="run" %}``
- ``{% state_badge ticket %}``, ``{% state_badge "dead" %}``, ``{% state_icon job %}``
- ``{% severity_mark finding.severity %}``, with ``alone=True`` in narrow columns
- ``{% when ticket.updated_at %}``, with ``short=True`` where the column says "ago"
- ``{% took attempt.started_at attempt.ended_at %}``, ``{% lasted gap %}``
- ``{% module "live/live.js" %}``: a script, if this installation has it
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django import template
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from portal.site import looks

register = template.Library()


def _sprite() -> str:
    try:
        return static("portal/icons.svg")
    except ValueError:  # no manifest: collectstatic has not run, and an error page still has to render
        return "/static/portal/icons.svg"


@register.simple_tag
def icon(name: str, label: str = "", tone: str = "") -> SafeString:
    """An icon: silent beside a word, named where it stands alone."""
    toned = format_html(' data-tone="{}"', tone) if tone else ""
    spoken = format_html(' role="img" aria-label="{}"', label) if label else mark_safe(' aria-hidden="true"')
    return format_html('<svg class="i"{}{}><use href="{}#i-{}"/></svg>', toned, spoken, _sprite(), name)


def _toned(tone: str) -> SafeString:
    return format_html(' data-tone="{}"', tone) if tone else mark_safe("")


@register.simple_tag
def state_badge(thing: Any, word: str = "") -> SafeString:
    """The state of a row (or a state's word) as a badge; ``word`` replaces the label."""
    look = looks.look_of(thing)
    return format_html('<span class="badge"{}>{}{}</span>', _toned(look.tone), icon(look.icon), word or look.word)


@register.simple_tag
def state_icon(thing: Any) -> SafeString:
    """The state's icon alone, named."""
    look = looks.look_of(thing)
    return icon(look.icon, label=look.word, tone=look.tone)


@register.simple_tag
def state_word(thing: Any) -> str:
    return looks.look_of(thing).word


@register.simple_tag
def state_tone(thing: Any) -> str:
    """The tone alone, for a shape that stands beside the word."""
    return looks.look_of(thing).tone


@register.simple_tag
def badge(tone: str, name: str, word: str) -> SafeString:
    """A badge for what is no state: a proof, a difference."""
    return format_html('<span class="badge"{}>{}{}</span>', _toned(tone), icon(name), word)


@register.simple_tag
def severity_mark(severity: str, alone: bool = False) -> SafeString:
    look = looks.SEVERITIES.get(severity, looks.SEVERITIES["none"])
    if alone:
        return icon(look.icon, label=look.word, tone=look.tone)
    return format_html('<span class="mark"{}>{}{}</span>', _toned(look.tone), icon(look.icon), look.word)


@register.simple_tag
def when(moment: datetime | None, short: bool = False) -> SafeString | str:
    """A moment relative to now, with the absolute one in its title; a dash for none."""
    if moment is None:
        return "–"
    words = looks.relative(moment)
    if short:
        words = words.removesuffix(" ago").removeprefix("in ")
    kind = "short" if short else "long"
    return format_html(
        '<time datetime="{}" title="{}" data-when="{}">{}</time>',
        moment.astimezone(UTC).isoformat(timespec="seconds"),
        looks.absolute(moment),
        kind,
        words,
    )


@register.simple_tag
def took(started: datetime | None, ended: datetime | None = None) -> str:
    """How long something took, or takes so far; a dash if it has not begun."""
    if started is None:
        return "–"
    return looks.spell_exactly((ended or datetime.now(UTC)) - started)


@register.simple_tag
def lasted(gap: timedelta) -> str:
    """A length of time: ``3 h``."""
    return looks.spell(gap)


@register.filter
def last_line(text: str, characters: int = 120) -> str:
    """The last line of an error: what went wrong, not where."""
    line = text.strip().rpartition("\n")[2]
    return line if len(line) <= characters else f"{line[: characters - 1]}…"


@register.filter
def at(found: Mapping[str, Any], key: str) -> Any:
    """What ``found`` has under ``key``; None where it has nothing."""
    return found.get(key) if found else None


@register.filter
def subject(name: str) -> str:
    """What a subject names: ``LAN-218`` of ``ticket:LAN-218``."""
    kind, _, rest = name.partition(":")
    return rest if kind == "ticket" else name.replace(":", " ")


@register.simple_tag
def module(path: str) -> SafeString:
    """A module script, or nothing where the installation has no such file."""
    try:
        return format_html('<script type="module" src="{}"></script>', static(path))
    except ValueError:
        return mark_safe("")
