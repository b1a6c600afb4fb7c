"""``manage.py rebuild_evidence``: evidence as it follows from what happened, compared with what is stored."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from deployments import rebuilding
from portal.core import cause
from portal.core.quoting import plain


class Command(BaseCommand):
    help = (
        "Derive all evidence of findings again, and write what is stored otherwise."
        " With --check nothing is written; exit code 1 says that there are differences."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="print the differences, and write nothing")
        parser.add_argument("--project", default="", metavar="KEY", help="of this project alone")

    def handle(self, *args: Any, **options: Any) -> None:
        with cause.acting(cause.Actor("command", "rebuild_evidence", "manage.py rebuild_evidence")):
            self._rebuild(options["project"].strip().upper(), check=options["check"])

    def _rebuild(self, key: str, *, check: bool) -> None:
        projects = rebuilding.projects(key)
        if key and not projects:
            raise CommandError(f"There is no project {ascii(key)}.", returncode=2)
        differing = rows = 0
        for project in projects:
            for difference in rebuilding.look(project) if check else rebuilding.mend(project):
                differing += 1
                self.stdout.write(f"{project.key}: {plain(str(difference))}")
            rows += rebuilding.stored(project)
        said = f"{_number(differing, 'difference')}, {_number(rows, 'row')} in {_number(len(projects), 'project')}."
        self.stdout.write(f"{'Looked' if check else 'Rebuilt'}: {said}")
        if check and differing:
            raise SystemExit(1)


def _number(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
