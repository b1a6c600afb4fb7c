"""``manage.py restore FOLDER``: a backup becomes this installation, where nothing is yet."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.core.guard import Answer, wording
from portal.site.keeping import restoring
from portal.site.keeping.refusals import Refused
from portal.site.keeping.restoring import Restored


class Command(BaseCommand):
    help = "Verify a backup and restore it into an empty database and an empty DATA_DIR."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            done = restoring.restore(options["folder"].absolute())
        except Refused as refusal:
            raise CommandError(str(refusal), returncode=2) from refusal
        self._tell(done)
        if done.report.answer is Answer.REFUSE and done.report.code != "schema_behind":
            self.stderr.write(wording.text(done.report))
            raise SystemExit(done.report.answer.exit_code)

    def _tell(self, done: Restored) -> None:
        told = done.manifest
        self.stdout.write(
            f"Restored: {told.rows} rows of {len(told.tables)} tables and {told.files} files, as of {told.made_at}."
        )
        self.stdout.write(
            f"Claims of workers that are gone: {done.expired}, expired; they are queued again by the first look."
            f" Sessions ended: {done.ended_sessions}. Every stream has a new epoch."
        )
        if done.keys:
            self.stdout.write(f"Keys put back: {', '.join(done.keys)}. They hold from the next start.")
        elif done.sealed:
            self.stderr.write(
                f"Stored secrets that this SECRETS_KEY does not open: {', '.join(done.sealed)}."
                " Put the keys of the installation that was backed up into DATA_DIR/keys."
            )
        self.stdout.write(done.report.sentence)
        if done.report.code == "schema_behind":
            self.stdout.write("Now run: python manage.py migrate")
