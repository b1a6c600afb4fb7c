"""What the list of jobs is filtered by, as its address carries it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django import forms
from django.db.models import Q, QuerySet

from portal.core import access, limits
from tickets.fields import Form, Words
from workers import ages, kinds
from workers.models import Agent, Job, JobState, Pool

AGENTS_SHOWN: Final = 200


class JobFilter(Form):
    """Which jobs a list shows. What cannot be read is left out of the filter, and said."""

    name = "filter"
    state = forms.ChoiceField(
        label="State",
        required=False,
        choices=[("", "Any state"), *JobState.choices],
        error_messages={"invalid_choice": "“%(value)s” is no state of a job."},
    )
    q = Words(limit=200, label="Error, subject or kind", required=False)
    kind = forms.ChoiceField(
        label="Kind", required=False, error_messages={"invalid_choice": "No kind of job is named “%(value)s”."}
    )
    pool = forms.ChoiceField(
        label="Pool",
        required=False,
        choices=[("", "Any pool"), *Pool.choices],
        error_messages={"invalid_choice": "“%(value)s” is no pool."},
    )
    agent = forms.ChoiceField(
        label="Agent", required=False, error_messages={"invalid_choice": "No agent is named “%(value)s”."}
    )
    age = forms.ChoiceField(
        label="Age",
        required=False,
        choices=[("", "Any age"), *ages.CHOICES],
        error_messages={"invalid_choice": "“%(value)s” is no age that can be chosen."},
    )

    def __init__(self, data: Any, reader: Any) -> None:
        super().__init__(data)
        self.agents = _agents(reader)
        named: Any = self.fields["kind"]
        named.choices = [("", "Any kind"), *((name, kinds.label(name)) for name in kinds.known())]
        given: Any = self.fields["agent"]
        given.choices = [("", "Any agent"), *((name, name) for name in self.agents)]

    def said(self, name: str, value: str) -> str:
        """A value in words."""
        return str(dict(getattr(self.fields[name], "choices", ())).get(value, value))

    @property
    def names_of_lanes(self) -> dict[str, str]:
        return {lane: name for name, lane in self.agents.items()}


def _agents(reader: Any) -> dict[str, str]:
    """The lane of each agent by its name; whoever belongs to a project knows them."""
    if not access.is_admin(reader) and not access.roles(reader):
        return {}
    return {agent.name: agent.lane for agent in Agent.objects.only("name").order_by("name")[:AGENTS_SHOWN]}


def matching(rows: QuerySet[Job], wanted: Mapping[str, str], agents: Mapping[str, str]) -> QuerySet[Job]:
    """Those of ``rows`` that are wanted; words are looked for in the newest ``JOB_SEARCH_ROWS`` of them."""
    for name in ("state", "kind", "pool"):
        if wanted[name]:
            rows = rows.filter(**{name: wanted[name]})
    if wanted["agent"]:
        rows = rows.filter(lane=agents[wanted["agent"]])
    rows = rows.filter(ages.older_than(wanted["age"]))
    if wanted["q"]:
        oldest = _oldest_searched(rows)
        words = wanted["q"]
        said = Q(error__icontains=words) | Q(subject__icontains=words) | Q(kind__icontains=words)
        rows = rows.filter(said, pk__gt=oldest)
    return rows


def _oldest_searched(rows: QuerySet[Job]) -> int:
    """The newest of those in which words are not looked for any more."""
    most = limits.value("JOB_SEARCH_ROWS")
    return rows.order_by("-pk").values_list("pk", flat=True)[most : most + 1].first() or 0
