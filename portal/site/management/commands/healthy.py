"""``manage.py healthy web|worker POOL|beat``: exit code 0 while that process does its work."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import Error
from django.db.models.functions import Now

from portal.site.launching import commands, doors
from workers import presence
from workers.models import Worker


class Command(BaseCommand):
    help = "Say whether a process of this machine is healthy; the health checks of compose.yaml."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        roles = parser.add_subparsers(dest="role", required=True)
        roles.add_parser("web")
        worker = roles.add_parser("worker")
        worker.add_argument("pool", choices=commands.POOLS)
        roles.add_parser("beat")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["role"] == "web":
            healthy = _web_answers()
        else:
            healthy = _was_seen(options.get("pool"))
        if not healthy:
            self.stderr.write(f"{options['role']} is not healthy")
            raise SystemExit(1)


def _web_answers() -> bool:
    header = doors.host_header(settings.BASE_URL)
    return doors.http_status(settings.HOST, settings.PORT, "/readyz", header) == 200


def _was_seen(pool: str | None) -> bool:
    """A worker of this machine said so within a lease; for beat: a tick arrived within three."""
    seconds = settings.LIMITS["LEASE_SECONDS"]
    seen = Worker.objects.filter(state=Worker.State.ALIVE, seen_at__gt=Now() - timedelta(seconds=seconds))
    found = seen.filter(pool=pool, host=presence.host()) if pool else seen.filter(name=presence.BEAT_NAME)
    try:
        return found.exists()
    except Error:
        return False
