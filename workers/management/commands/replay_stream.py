"""`manage.py replay_stream --adapter NAME FILE`: what an adapter reads in a recorded output, as JSON lines."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from workers.agents.adapters import ADAPTERS, Adapter, read_all
from workers.agents.adapters.events import Event, Refused, described
from workers.agents.adapters.verdict import with_exit_code


class Command(BaseCommand):
    help = "Print the normalised events of an agent's recorded standard output as JSON lines. Touches no database."
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--adapter", required=True, choices=sorted(ADAPTERS))
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument("--exit-code", type=int, metavar="N", help="how the process ended; a result needs 0")
        parser.add_argument("--chunk", type=int, default=65_536, metavar="BYTES", help="read so many bytes at a time")
        parser.add_argument("--nonce", help="the turn's; without it the last signal counts as the turn's own")
        parser.add_argument("--ticket", default="", help="the turn's, with --nonce")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["chunk"] < 1:
            raise CommandError("a chunk has at least one byte")
        adapter, path = ADAPTERS[options["adapter"]], options["file"]
        try:
            known = (options["nonce"], options["ticket"]) if options["nonce"] else _own_signal(adapter, path)
            for event in with_exit_code(_events(adapter(*known), path, options["chunk"]), options["exit_code"]):
                self.stdout.write(json.dumps(described(event), ensure_ascii=False))
        except BrokenPipeError:
            return  # whoever reads has seen enough
        except OSError as error:
            raise CommandError(f"cannot read {path}: {error.strerror}") from None


def _events(adapter: Adapter, path: Path, size: int = 65_536) -> Iterator[Event]:
    with path.open("rb") as output:
        yield from read_all(adapter, output, size)


def _own_signal(adapter: type[Adapter], path: Path) -> tuple[str, str]:
    refused = (event.signal for event in _events(adapter("", ""), path) if isinstance(event, Refused))
    last = None
    for signal in refused:
        last = signal or last
    return (last.nonce, last.ticket) if last else ("", "")
