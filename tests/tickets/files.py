"""Files of tickets, for the tests about them: where they lie, and the ways in and out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.factories import World
from tests.tickets import build
from tests.tickets.pictures import upload
from tickets import attachments
from tickets.models import Attachment, Ticket


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> Path:
    """Where the bytes lie."""
    settings.DATA_DIR = tmp_path
    return tmp_path / "attachments"


@pytest.fixture
def ticket(world: World) -> Ticket:
    return build.ticket(world.mc)


def on_disk(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def url(ticket: Ticket, rest: str = "") -> str:
    return f"/tickets/{ticket.key}/files/{rest}"


def fetch(browser: Any, ticket: Ticket, row: Attachment) -> tuple[Any, bytes]:
    """The answer to a download, and all of its bytes."""
    answer = browser.get(url(ticket, f"{row.pk}/"))
    return answer, answer.getvalue()


def attach(ticket: Ticket, content: bytes = b"words", name: str = "notes.txt", **fields: Any) -> Attachment:
    return attachments.receive(ticket, upload(content, name), uploader=None, **fields)[0]
