"""``manage.py prepare``: schema, static files and first admin, before anything serves."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from portal.core.guard import stand_guard
from portal.site.keeping import upgrading
from portal.site.keeping.refusals import Refused
from portal.site.launching import collecting, doors, first_admin
from workers import schedules


class Command(BaseCommand):
    help = "Bring the schema up to date, collect changed static files, make first admin and schedules. Safe to repeat."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            doors.ask_database()
            if not settings.EMBEDDED_REDIS:
                doors.ask_store(settings.REDIS_URL)
        except doors.Refused as refusal:
            self.stderr.write(f"shiproom: {refusal}")
            raise SystemExit(2) from None
        self._migrate()
        # No migration is due, and still the structure may not be the code's: a hand changed it, or the code is older.
        stand_guard("prepare")
        collecting.collect()
        first_admin.ensure()
        schedules.make_standing()

    def _migrate(self) -> None:
        try:
            upgrading.migrate(self.stdout.write)
        except Refused as refusal:
            self.stderr.write(f"shiproom: {refusal}")
            raise SystemExit(2) from None
        except upgrading.MigrationFailed as failed:
            self.stderr.write(f"shiproom: {failed}")
            raise SystemExit(1) from None
