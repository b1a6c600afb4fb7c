"""``manage.py up``: the whole installation on this machine, until Ctrl-C."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from portal.site.launching import supervise


class Command(BaseCommand):
    help = "Start everything, print the address, restart what dies, stop it all on Ctrl-C or SIGTERM."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        raise SystemExit(supervise.run())
