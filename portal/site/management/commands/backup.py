"""``manage.py backup``: the database and the files of this installation, in one folder, verified."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.site.keeping import backups
from portal.site.keeping.refusals import Refused


class Command(BaseCommand):
    help = "Make a backup beside whatever runs, read it back, compare it; the oldest beyond BACKUPS_KEPT go."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--to", type=Path, metavar="FOLDER", help="instead of DATA_DIR/backups")
        parser.add_argument("--with-keys", action="store_true", help="the keys too: who has it can open the secrets")

    def handle(self, *args: Any, **options: Any) -> None:
        to: Path | None = options["to"]
        try:
            made = backups.make(to.absolute() if to else None, with_keys=options["with_keys"])
        except Refused as refusal:
            raise CommandError(str(refusal), returncode=2) from refusal
        told = made.manifest
        assert told is not None
        self.stdout.write(str(made.path))
        self.stdout.write(
            f"Read back: {told.rows} rows of {len(told.tables)} tables, {told.files} files, {told.size_bytes} bytes."
        )
        if told.lacking:
            self.stderr.write(f"Files that rows name were not there: {told.lacking}, such as {told.missing[0]}.")
        if not told.with_keys:
            self.stdout.write("Without DATA_DIR/keys: keep them apart, stored secrets are sealed with them.")
