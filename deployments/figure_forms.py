"""What figures of deployments are asked of: which, where, and from which day to which."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any, Final

from deployments.figures import Asked
from portal.core import clock, limits
from tickets.fields import Day, Form, Words
from tickets.models import Project

DEFAULT_DAYS: Final = 90


class FiguresFilter(Form):
    """What cannot be read is left out, and said."""

    name = "figures"
    project = Words(limit=10, label="Project", required=False)
    service = Words(limit=60, label="Service", required=False)
    environment = Words(limit=60, label="Environment", required=False)
    since = Day("From")
    until = Day("To")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        most = limits.value("FIGURES_RANGE_DAYS")
        if "since" in cleaned and "until" in cleaned:
            since, until = span(cleaned["since"], cleaned["until"])
            if since > until:
                self.add_error("since", "The first day is after the last.")
            elif (until - since).days >= most:
                self.add_error("since", f"At most {most} days can be asked of.")
        return cleaned


def span(since: str, until: str) -> tuple[date, date]:
    """The last ``DEFAULT_DAYS`` up to today, as far as nothing else is said."""
    last = date.fromisoformat(until) if until else clock.now().date()
    first = date.fromisoformat(since) if since else last - timedelta(days=DEFAULT_DAYS - 1)
    return first, last


def asked(wanted: dict[str, str], seen: Iterable[Project]) -> Asked:
    """What a filter asks for, of the projects that its reader sees."""
    since, until = span(wanted["since"], wanted["until"])
    projects = {project.pk for project in seen if wanted["project"] in {"", project.key}}
    return Asked(projects, since, until, wanted["service"], wanted["environment"])
