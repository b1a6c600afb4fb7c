"""``manage.py serve web|worker|beat``: become one process of the installation."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from portal.site.launching import commands


class Command(BaseCommand):
    help = "Become the web process, a worker of one pool, or beat: the same command lines that `up` runs."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        roles = parser.add_subparsers(dest="role", required=True)
        roles.add_parser("web")
        worker = roles.add_parser("worker")
        worker.add_argument("pool", choices=commands.POOLS)
        worker.add_argument("--number", type=int, default=1)
        roles.add_parser("beat")

    def handle(self, *args: Any, **options: Any) -> None:
        argv = {
            "web": commands.web,
            "worker": lambda: commands.worker(options["pool"], options["number"]),
            "beat": commands.beat,
        }[options["role"]]()
        os.chdir(settings.BASE_DIR)
        # In place of this process, so that a container's TERM reaches the program itself.
        os.execve(argv[0], argv, commands.environment(options["role"]))
