"""What every list of a project's things has in common: filters in the address, pages by key, the streams it follows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import BadRequest
from django.http import HttpRequest
from django.template import Context
from django.urls import reverse

from portal.core import access, limits
from portal.core.access import Role
from portal.live import streams
from portal.live.templatetags.live import live
from tickets import queries
from tickets.fields import Form, number_of
from tickets.queries import Page


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address of a list asks for."""

    wanted: dict[str, str]
    before: int | None


def context(
    request: HttpRequest, form: Form, rows_of: Callable[[Asked], Page], *, role: Role, fragment: str
) -> dict[str, Any]:
    """The context of a list. ``role`` is what it takes to add to it; ``fragment`` names the address of its rows."""
    wanted = wanted_of(form)
    asked = Asked(wanted, before_of(request))
    projects = queries.projects_of(request.user)
    names = queries.followed(projects, wanted["project"])
    # A page shows what is at least as new as its cursors: they are read first.
    known = Context({"live_cursors": streams.cursors(*names) if names else {}})
    found = rows_of(asked)
    url = f"{reverse(fragment)}?{request.GET.urlencode()}"
    return {
        "form": form,
        "wanted": wanted,
        "kept": {name: value for name, value in wanted.items() if value},
        "projects": projects,
        "rows": found.rows,
        "older": found.older,
        "before": asked.before,
        "size": limits.value("LIST_PAGE_ROWS"),
        "may_add": access.is_admin(request.user) or any(held >= role for held in access.roles(request.user).values()),
        "live": live(known, *names, url=url) if names else "",
    }


def wanted_of(form: Form) -> dict[str, str]:
    """What a filter asks for. What could not be read is left out, and the form says it."""
    form.is_valid()
    return {name: form.cleaned_data.get(name) or "" for name in form.fields}


def before_of(request: HttpRequest) -> int | None:
    """Where the page of a list begins. Raises ``BadRequest`` for what no list said."""
    text = request.GET.get("before")
    number = number_of(text)
    if text and number is None:
        raise BadRequest("No list begins there.")
    return number
