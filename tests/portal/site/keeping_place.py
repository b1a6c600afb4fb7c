"""Installations for the tests of keeping: each a database and a data folder of its own, all in this process."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import override_settings

from portal.core.models import User
from tests import factories
from tests.engines import postgresql, template
from tests.engines.template import Template
from tests.tickets import build
from tickets import attachments
from tickets.models import Attachment, Ticket

LAST = "0005_rehearsals_and_web_processes"


@dataclass
class Places:
    """``with places.filled() as data`` and ``with places.empty() as data``: where the process works meanwhile."""

    folder: Path
    migrated: Template
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @contextmanager
    def filled(self) -> Iterator[Path]:
        """Migrated, nothing in it."""
        with self.migrated.copy() as url, self._at(url) as data:
            yield data

    @contextmanager
    def empty(self) -> Iterator[Path]:
        """Without a table."""
        url = template.place(
            self.migrated.server_url, self.folder, f"empty_{self.folder.name[-8:]}_{next(self.numbers)}"
        )
        if not url.startswith("sqlite"):
            postgresql.create_database(self.migrated.server_url, template.name_of(url))
        try:
            with self._at(url) as data:
                yield data
        finally:
            template.drop(url)

    @contextmanager
    def _at(self, url: str) -> Iterator[Path]:
        data = self.folder / f"data-{next(self.numbers)}"
        data.mkdir(mode=0o700)
        before = connection.settings_dict["NAME"]
        connection.close()
        connection.settings_dict["NAME"] = template.name_of(url)
        try:
            with override_settings(DATA_DIR=data):
                yield data
        finally:
            connection.close()
            connection.settings_dict["NAME"] = before


def ticket() -> Ticket:
    """In a project of its own, with its owner's account."""
    return build.ticket(factories.world().mc)


def attach(ticket: Ticket, content: bytes) -> Attachment:
    owner = User.objects.get(email="operator@example.org")
    made, _ = attachments.receive(ticket, SimpleUploadedFile("kept.txt", content), uploader=owner)
    return made


def undo_last() -> None:
    """The database as it was before the last migration of the core, on which nothing stands."""
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE core_rehearsal")
        cursor.execute("DROP TABLE core_webprocess")
        for table in ("django_migrations", "core_appliedmigration"):
            cursor.execute(f"DELETE FROM {table} WHERE app = 'core' AND name = %s", [LAST])


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
