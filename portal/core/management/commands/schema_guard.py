"""What the guard says of the database, now."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from portal.core.guard import answer, wording, writing


class Command(BaseCommand):
    help = "Compare the database with this code. Exit code: 0 start, 1 with a banner, 3 refuse, 4 database down."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="for machines")
        parser.add_argument(
            "--write-manifest", action="store_true", help="developers: make this engine's manifest anew"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["write_manifest"]:
            self.stdout.write(f"Written: {writing.write()}")
            return
        report = answer.look()
        words = json.dumps(answer.as_json(report), indent=1) if options["json"] else wording.text(report)
        self.stdout.write(words)
        if report.answer.exit_code:
            raise SystemExit(report.answer.exit_code)
