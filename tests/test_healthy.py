"""``manage.py healthy``: what the health checks of compose.yaml ask."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db.models import F

from workers import presence
from workers.models import Worker


def healthy(*arguments: str) -> bool:
    try:
        call_command("healthy", *arguments)
    except SystemExit as end:
        assert end.code == 1
        return False
    return True


def test_a_worker_is_healthy_while_it_says_so(db, settings):
    assert not healthy("worker", "turns")
    presence.arrived("turns@here", "turns")
    assert healthy("worker", "turns")
    assert not healthy("worker", "short")
    Worker.objects.update(seen_at=F("seen_at") - timedelta(seconds=settings.LIMITS["LEASE_SECONDS"] + 1))
    assert not healthy("worker", "turns")


def test_a_worker_of_another_machine_does_not_speak_for_this_one(db):
    presence.arrived("turns@there", "turns")
    Worker.objects.update(host="there")
    assert not healthy("worker", "turns")


def test_beat_is_healthy_while_its_ticks_arrive(db):
    assert not healthy("beat")
    presence.beat_seen()
    assert healthy("beat")


@pytest.mark.processes
def test_web_is_healthy_while_it_is_ready(stack):
    assert stack.manage("healthy", "web", check=False).returncode == 1
    stack.web()
    assert stack.manage("healthy", "web", check=False).returncode == 0
