"""``manage.py prepare``: schema, static files and first admin, before anything serves."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.core.management.base import BaseCommand

from portal.core.guard import stand_guard
from portal.site.keeping import upgrading
from portal.site.keeping.refusals import Refused
from portal.site.launching import doors, first_admin
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
        _collect_static()
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


def _collect_static() -> None:
    """Collect where any source changed: compressing all of them takes seconds at every start."""
    stamp = Path(settings.STATIC_ROOT) / ".collected"
    digest = _static_digest()
    if stamp.is_file() and stamp.read_text(encoding="ascii") == digest:
        return
    call_command("collectstatic", interactive=False, verbosity=0)
    stamp.write_text(digest, encoding="ascii")


def _static_digest() -> str:
    found = hashlib.sha256(settings.STORAGES["staticfiles"]["BACKEND"].encode())
    for finder in get_finders():
        for name, storage in finder.list([]):
            path = Path(storage.path(name))
            state = path.stat()
            found.update(f"{path} {state.st_size} {state.st_mtime_ns}\n".encode())
    return found.hexdigest()
