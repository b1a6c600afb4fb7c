"""Print the state diagrams, or write them to the docs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from portal.core import diagrams


class Command(BaseCommand):
    help = "Draw every model's states from its transition table."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--write", action="store_true", help="write docs/states.md instead of printing")

    def handle(self, *args: Any, write: bool, **options: Any) -> None:
        text = diagrams.document()
        if write:
            Path(settings.BASE_DIR, "docs", "states.md").write_text(text, encoding="utf-8")
        else:
            self.stdout.write(text, ending="")
