"""What the lists of jobs and attempts in the admin are narrowed by."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from workers import ages, kinds
from workers.models import Agent, Job

AGENTS_SHOWN: Final = 200


class KindFilter(admin.SimpleListFilter):
    """Of the kinds that this code knows: asking the rows for theirs would read all of them."""

    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, kinds.label(name)) for name in kinds.known()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        return queryset.filter(kind=self.value()) if self.value() in kinds.known() else queryset


class AgeFilter(admin.SimpleListFilter):
    title = "age"
    parameter_name = "age"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return ages.CHOICES

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        return queryset.filter(ages.older_than(self.value() or ""))


class AgentFilter(admin.SimpleListFilter):
    """In whose lane it is."""

    title = "agent"
    parameter_name = "agent"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(agent.name, agent.name) for agent in Agent.objects.only("name").order_by("name")[:AGENTS_SHOWN]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        if not self.value():
            return queryset
        agent = Agent.objects.filter(name=self.value()).first()
        return queryset.filter(lane=agent.lane) if agent else queryset
