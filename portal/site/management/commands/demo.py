"""``manage.py demo``: load the demo, or take it away."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.core.lifecycle import Refused
from portal.site.demo import loading, removing, shipping
from portal.site.demo.hosting import HostFailed


class Command(BaseCommand):
    help = "Load a project to look at, with a service that runs; safe to repeat. --remove takes all of it away."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--remove", action="store_true", help="remove its rows and files; history stays")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._remove() if options["remove"] else self._load()
        except (Refused, HostFailed) as refusal:
            raise CommandError(str(refusal), returncode=2) from refusal

    def _load(self) -> None:
        project, made = loading.load()
        self.stdout.write(f"The demo is {'loaded' if made else 'there'}: project {project.key}, {project.name}.")
        for environment, address in shipping.addresses(project).items():
            self.stdout.write(f"  {environment}: {address} (while `manage.py up` runs)")

    def _remove(self) -> None:
        if removing.remove():
            self.stdout.write("The demo is removed. What it did stays in the history.")
        else:
            self.stdout.write("There is no demo.")
