"""``manage.py demo``: load the demo, or Shiproom itself as a service, or take both away."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.core.lifecycle import Refused
from portal.site.demo import itself, loading, removing, shipping
from portal.site.demo.hosting import HostFailed


class Command(BaseCommand):
    help = "Load a project to look at, with a service that runs; safe to repeat. --remove takes all of it away."

    def add_arguments(self, parser: ArgumentParser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--itself", action="store_true", help="load Shiproom as a service that it deploys itself")
        what.add_argument("--remove", action="store_true", help="remove its rows and files; history stays")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["remove"]:
                self._remove()
            else:
                self._load_itself() if options["itself"] else self._load()
        except (Refused, HostFailed) as refusal:
            raise CommandError(str(refusal), returncode=2) from refusal

    def _load(self) -> None:
        project, made = loading.load()
        self.stdout.write(f"The demo is {'loaded' if made else 'there'}: project {project.key}, {project.name}.")
        for environment, address in shipping.addresses(project).items():
            self.stdout.write(f"  {environment}: {address} (while `manage.py up` runs)")

    def _load_itself(self) -> None:
        project, made = itself.load()
        self.stdout.write(f"{project.name} is {'loaded' if made else 'there'}: project {project.key}.")
        self.stdout.write(f"  {itself.address(project)} (once a deployment of it has been done)")
        if not itself.has_host():
            self.stdout.write("  Its processes belong to the demo's host: stop `manage.py up` and start it again.")

    def _remove(self) -> None:
        if removing.remove():
            self.stdout.write("The demo is removed. What it did stays in the history.")
        else:
            self.stdout.write("There is no demo.")
