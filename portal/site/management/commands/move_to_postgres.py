"""``manage.py move_to_postgres URL``: this installation's rows, from SQLite to PostgreSQL."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.site.keeping import moving
from portal.site.keeping.refusals import Refused


class Command(BaseCommand):
    help = "Copy every row of the SQLite database to an empty PostgreSQL, and compare. The SQLite file stays as it is."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("url", metavar="URL", help="postgres://user:password@host:port/name")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            moved = moving.move(options["url"], self.stdout.write)
        except Refused as refusal:
            raise CommandError(str(refusal), returncode=2) from refusal
        self.stdout.write(f"Moved: {moved.rows} rows of {moved.tables} tables, compared row by row.")
        self.stdout.write("Now set DATABASE_URL to this address, keep DATA_DIR as it is, and start again.")
