"""`manage.py parse_review FILE... --out DIR`: review documents to JSON, without touching the database."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from reviews.importing.files import parse_files


class Command(BaseCommand):
    help = "Parse review documents and write one JSON file per document."
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
        parser.add_argument("--out", required=True, type=Path, metavar="DIR")

    def handle(self, *args: Any, **options: Any) -> None:
        refused = 0
        for source, said, parsed in parse_files(options["files"], options["out"]):
            refused += not parsed
            self.stdout.write(f"{source.name}: {said}")
        if refused:
            raise CommandError(f"{refused} document(s) were not parsed.")
