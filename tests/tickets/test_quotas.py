"""What a ticket may take of the disk, and a disk that has no more to give."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.tickets.repositories import repository
from tests.tickets.workshop import GOOD, Workshop
from tickets import git, quotas, work
from workers import room
from workers.models import Attempt

if TYPE_CHECKING:
    from tests.factories import World


@pytest.fixture
def shop(world: World, tmp_path: Path, settings: Any) -> Workshop:
    settings.DATA_DIR = tmp_path / "data"
    settings.LIMITS = {**settings.LIMITS, "WORKSPACE_MAX_BYTES": 1_000_000}
    return Workshop(world.mc, tmp_path)


@pytest.mark.django_db(transaction=True)
@pytest.mark.pages
def test_a_turn_that_takes_too_much_blocks_its_ticket_and_keeps_its_work(shop: Workshop, settings: Any) -> None:
    ticket = shop.ticket()
    big = ["run", "sh", "-c", "head -c 2000000 /dev/urandom > $HOME/cache"]
    turn = shop.turn(ticket, [big, *GOOD])
    assert (ticket.state, turn.state) == ("blocked", "blocked")
    assert "has more than 1,000,000 bytes in its worktree" in turn.verdict
    folder = settings.DATA_DIR / "workspaces" / ticket.key
    assert turn.head_commit == git.head(folder) != turn.base_commit
    # It begins again only where it has room.
    again = shop.turn(ticket, GOOD)
    assert again.pk == turn.pk and ticket.state == "failed"
    assert "has more than 1,000,000 bytes" in Attempt.objects.latest("pk").error
    shutil.rmtree(settings.DATA_DIR / "homes" / ticket.key)
    assert shop.turn(ticket, [["write", "src/b", "1"], ["commit", "x"], GOOD[-1]]).proven


@pytest.mark.django_db(transaction=True)
@pytest.mark.pages
def test_a_turn_waits_for_a_disk_with_room_and_nobody_is_charged(shop: Workshop, settings: Any) -> None:
    settings.LIMITS = {**settings.LIMITS, "DISK_LEAST_BYTES": 10**12}
    ticket = shop.ticket()
    work.assign(ticket, shop.agent(GOOD))
    shop.drain()
    ticket.refresh_from_db()
    attempt = Attempt.objects.get()
    assert (ticket.state, attempt.outcome) == ("queued", "parked")
    settings.LIMITS = {**settings.LIMITS, "DISK_LEAST_BYTES": 0}
    shop.make_due()
    shop.drain()
    ticket.refresh_from_db()
    assert ticket.state == "in_review"


@pytest.mark.django_db
@pytest.mark.pages
def test_links_lead_nowhere_and_all_places_of_the_ticket_count(shop: Workshop, settings: Any, tmp_path: Path) -> None:
    ticket = shop.ticket()
    (tmp_path / "elsewhere").write_bytes(bytes(3_000_000))
    for place in (f"workspaces/{ticket.key}", f"workspaces/{ticket.key}.set-aside-1", f"homes/{ticket.key}/mender"):
        (settings.DATA_DIR / place).mkdir(parents=True)
        (settings.DATA_DIR / place / "file").write_bytes(bytes(300_000))
    (settings.DATA_DIR / "homes" / ticket.key / "link").symlink_to(tmp_path)
    assert quotas.over(ticket) == ""
    (settings.DATA_DIR / "homes" / ticket.key / "file").write_bytes(bytes(300_000))
    assert f"{ticket.key} has more than 1,000,000 bytes" in quotas.over(ticket)


@pytest.mark.once
def test_git_on_a_full_disk_is_the_machines_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real one: git runs where its objects lie on a file system of 64 kB."""
    found = repository(tmp_path / "mc")
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    small = f"bwrap --dev-bind / / --size 65536 --tmpfs {found}/.git/objects"
    program.write_text(f'#!/bin/sh\nexec {small} -- {shutil.which("git")} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    assert git.run(found, "hash-object", "-w", "--stdin", stdin=b"little").code == 0
    with pytest.raises(room.NoRoom, match="The disk of this worker's machine is full"):
        git.run(found, "hash-object", "-w", "--stdin", stdin=os.urandom(1_000_000))
