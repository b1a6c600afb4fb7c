"""What needs somebody beside questions, work and plans: messages to them, agents at rest; and what happened lately."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.test import Client

from portal.core import notifications
from portal.core.clock import now
from portal.core.models import Notification
from portal.core.unit import unit_of_work
from portal.site import figures, queries
from portal.site.tallies import tallies
from tests.tickets import asking, build
from tickets import conversation, questions
from tickets.models import Question
from workers.models import Agent, AgentVersion, Attempt, Breaker, Job

if TYPE_CHECKING:
    from portal.core.models import User
    from portal.site.queries import Need
    from tests.factories import World

pytestmark = pytest.mark.django_db
SignIn = Callable[["User | None"], Client]


def waiting(user: User, title: str) -> list[Need]:
    return next((panel.needs for panel in queries.needs_of(user) if panel.title == title), [])


def counted(user: User) -> str:
    found = tallies(user).get("/")
    return found.text if found else "0"


class TestMessages:
    def test_one_that_was_not_read_waits_and_is_read_by_its_button(self, world: World, sign_in: SignIn) -> None:
        ticket = build.ticket(world.mc, "done")
        type(ticket).objects.filter(pk=ticket.pk).update(state="open")
        conversation.post(ticket, author=world.viewer, body="I follow this.")
        conversation.post(ticket, author=world.operator, body="Look at it, please.")
        (need,) = waiting(world.viewer, "Messages to you")
        assert need.title == f"Operator wrote on {ticket.key}: {ticket.title}" and counted(world.viewer) == "1"
        client = sign_in(world.viewer)
        assert re.search(rf'<form method="post" action="{need.post}">', client.get("/").content.decode())
        assert client.post(need.post)["Location"] == f"/tickets/{ticket.key}/#m2"
        assert waiting(world.viewer, "Messages to you") == [] and counted(world.viewer) == "0"

    def test_what_is_listed_elsewhere_is_not_listed_twice(self, world: World) -> None:
        with unit_of_work():
            said = {"subject": "ticket:MC-1", "title": "MC-1 failed", "url": "/"}
            notifications.notify([world.viewer.pk], verb="ticket.fail", **said)
        assert Notification.objects.exists() and waiting(world.viewer, "Messages to you") == []


def opened(agent: Agent, *, state: str = "open", number: int = 1) -> Breaker:
    version, _ = AgentVersion.objects.get_or_create(
        agent=agent,
        number=number,
        defaults={"adapter": "plain", "command": ["true"], "wall_seconds": 60, "silence_seconds": 60},
    )
    retry = None if state == "closed" else now() + timedelta(minutes=5)
    return Breaker.objects.create(
        agent_version=version, state=state, failures=5, opened=1, retry_at=retry, reason="No key."
    )


class TestAgentsAtRest:
    def test_a_breaker_that_is_open_says_why_and_what_waits(self, world: World, sign_in: SignIn) -> None:
        agent = build.agent("mender")
        opened(agent)
        for audience in (world.mc.scope, world.mc.scope, "project:999"):
            job = Job.objects.create(kind="turn", pool="turns", lane=agent.lane, audience=audience, fence=1)
            Attempt.objects.create(job=job, fence=1, worker="w", outcome="parked", ended_at=now())
        (need,) = waiting(world.viewer, "Agents at rest")
        assert need.title == "mender cannot work" and counted(world.viewer) == "1"
        assert "wait after 5 failures of its own: No key. 2 turns are parked. Next try at" in need.detail
        assert need.url == "/workers/?state=queued"
        (theirs,) = waiting(world.admin, "Agents at rest")
        assert theirs.url == f"/admin/workers/agent/{agent.pk}/change/" and "3 turns are parked" in theirs.detail
        page = sign_in(world.viewer).get("/").content.decode()
        assert "mender cannot work" in page and "The oldest shown" not in page

    def test_a_profile_that_no_turn_would_use_is_left_out(self, world: World) -> None:
        old, closed, off = build.agent("old"), build.agent("closed"), build.agent("off", enabled=False)
        opened(old)
        AgentVersion.objects.create(
            agent=old, number=2, adapter="plain", command=["true"], wall_seconds=60, silence_seconds=60
        )
        opened(closed, state="closed")
        opened(off)
        assert waiting(world.admin, "Agents at rest") == []

    def test_who_belongs_to_nothing_sees_no_agent(self, world: World) -> None:
        opened(build.agent("mender"))
        assert waiting(world.outsider, "Agents at rest") == [] and counted(world.outsider) == "0"


class TestFigures:
    def test_turns_of_today_are_told_by_what_was_seen(self, world: World) -> None:
        ticket = build.ticket(world.mc)
        for seq, proven in enumerate([True, True, False], start=1):
            build.measured(build.turn(ticket, seq=seq), proven=proven)
        old = build.turn(ticket, seq=4)
        type(old).objects.filter(pk=old.pk).update(started_at=now() - timedelta(days=2))
        stat = next(stat for stat in figures.stats_of(world.viewer) if stat.title == "Turns today")
        assert (stat.number, stat.detail) == (3, "2 proven, 1 unproven")
        assert next(stat for stat in figures.stats_of(world.outsider) if stat.title == "Turns today").number == 0

    def test_the_wait_for_people_is_the_median_of_their_answers(self, world: World) -> None:
        for seq, minutes in enumerate([10, 30, 500], start=1):
            question = asking.ask(world.mc, seq=seq)
            Question.objects.filter(pk=question.pk).update(asked_at=now() - timedelta(minutes=minutes))
            questions.answer(question, by=world.operator, choice=0, text="")
        stat = next(stat for stat in figures.stats_of(world.viewer) if stat.title == "Agents wait for people")
        assert (stat.number, stat.unit, stat.detail) == (30, "min", "median, 7 days")
        assert figures.stats_of(world.outsider)[-1].detail == "nothing answered in 7 days"


def test_what_happened_lately_stands_beside_and_leads_to_all(world: World, sign_in: SignIn) -> None:
    from tickets import work

    for n in range(12):
        work.create_ticket(world.mc, title=f"Ticket {n}")
    page = sign_in(world.viewer).get("/").content.decode()
    panel = page.partition("Recent activity")[2]
    assert panel.count("<li>") == 8 and '<a href="/activity/">All activity</a>' in panel
    assert ">MC-12</a>" in panel and ">MC-4</a>" not in panel
    assert "Recent activity" not in sign_in(world.outsider).get("/").content.decode()
