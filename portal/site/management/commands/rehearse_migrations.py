"""``manage.py rehearse_migrations``: the migrations on a copy of the database, there and back, compared."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.site.keeping.refusals import Refused
from portal.site.rehearsing import records, rounds


class Command(BaseCommand):
    help = (
        "Take a copy of the database with its rows forward to this code, back, and forward again; compare structure"
        " and rows; remove the copy. Exit code: 0 passed, 1 failed, 2 it could not be tried."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--to",
            nargs=2,
            metavar=("APP", "NAME"),
            help="how far back; else to where the database is, or one migration of each app where none is pending",
        )
        parser.add_argument("--json", action="store_true", help="for machines")

    def handle(self, *args: Any, **options: Any) -> None:
        app_and_name: list[str] | None = options["to"]
        back_to = (app_and_name[0], app_and_name[1]) if app_and_name else None
        try:
            outcome = rounds.rehearse(self.stderr.write if options["json"] else self.stdout.write, back_to)
        except Refused as refusal:
            raise CommandError(str(refusal), returncode=2) from refusal
        kept = records.store(outcome)
        if options["json"]:
            self.stdout.write(json.dumps(rounds.as_json(outcome) | {"stored": kept}, indent=1))
        else:
            self.stdout.write(records.text(outcome))
            if not kept:
                self.stdout.write("Not stored: the database has no table for it yet.")
        if not outcome.passed:
            raise SystemExit(1)
