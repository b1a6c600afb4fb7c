"""Files of tickets: in and out, by whom, removal, and what lies on the disk whatever goes wrong."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from portal.core.models import Activity
from portal.core.unit import unit_of_work
from portal.live.models import Event
from tests.signing_in import Counted, SignIn
from tests.tickets import build
from tests.tickets.files import attach, fetch, folder, on_disk, ticket, url
from tests.tickets.pictures import upload
from tickets import attachments
from tickets.models import Attachment, Ticket
from workers import claims, kinds, schedules
from workers.models import Schedule

if TYPE_CHECKING:
    from tests.factories import World

__all__ = ["folder", "ticket"]


# In and out -----------------------------------------------------------------------------


def test_a_file_comes_back_as_it_was_sent(world: World, sign_in: SignIn, ticket: Ticket, folder: Path) -> None:
    content = os.urandom(3_000_000)
    browser = sign_in(world.operator)
    answer = browser.post(url(ticket, "attach/"), {"file": upload(content, "core.bin")})
    assert answer["Location"] == url(ticket)
    row = Attachment.objects.get()
    assert (row.name, row.size_bytes, row.digest) == ("core.bin", len(content), hashlib.sha256(content).hexdigest())
    assert (row.uploader, row.uploader_label) == (world.operator, str(world.operator))
    (path,) = on_disk(folder)
    assert path == folder / row.stored_as[:2] / row.stored_as
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    page = browser.get(url(ticket)).content.decode()
    assert "core.bin is attached." in page and "core.bin" in page
    download, received = fetch(browser, ticket, row)
    assert received == content and download["Content-Length"] == str(len(content))


def test_a_file_is_told_in_history_and_on_the_stream(ticket: Ticket) -> None:
    row = attach(ticket)
    said = Activity.objects.get(verb="ticket.attached")
    assert (said.subject, said.after["file"], said.after["sha256"]) == (ticket.subject, "notes.txt", row.digest)
    assert Event.objects.get(stream__name=ticket.subject).object == f"attachment:{row.pk}"


def test_who_is_not_of_the_project_gets_no_byte_of_it(world: World, sign_in: SignIn, ticket: Ticket) -> None:
    row = attach(ticket, b"secret words")
    for who, status in ((world.viewer, 200), (world.outsider, 404), (None, 302)):
        answer, received = fetch(sign_in(who), ticket, row)
        assert answer.status_code == status
        assert (b"secret" in received) is (status == 200)
    other = build.ticket(world.mc)
    assert sign_in(world.viewer).get(url(other, f"{row.pk}/")).status_code == 404
    assert sign_in(world.viewer).get(url(ticket, f"{2**63}/")).status_code == 404


def test_what_the_browser_kept_is_shown_only_after_its_right_was_asked(
    world: World, sign_in: SignIn, ticket: Ticket
) -> None:
    row = attach(ticket)
    browser = sign_in(world.viewer)
    first, _ = fetch(browser, ticket, row)
    assert first["Cache-Control"] == "private, no-cache"
    again = {"If-None-Match": first["ETag"]}
    assert browser.get(url(ticket, f"{row.pk}/"), headers=again).status_code == 304
    world.viewer.memberships.all().delete()
    assert browser.get(url(ticket, f"{row.pk}/"), headers=again).status_code == 404


# The ticket's state, removal ------------------------------------------------------------


def test_a_done_ticket_takes_no_file(world: World, sign_in: SignIn, folder: Path) -> None:
    done = build.ticket(world.mc, "done")
    answer = sign_in(world.operator).post(url(done, "attach/"), {"file": upload()})
    assert answer.status_code == 409
    assert f"{done.key} is done, so it takes no file. Reopen it, then attach." in answer.content.decode()
    assert not on_disk(folder)


@pytest.mark.django_db(transaction=True)
def test_a_removed_file_leaves_its_row_its_reason_and_no_byte(
    world: World, sign_in: SignIn, ticket: Ticket, folder: Path
) -> None:
    row = attach(ticket, b"password: hunter2", "leak.txt")
    browser = sign_in(world.operator)
    assert browser.post(url(ticket, f"{row.pk}/remove/"), {"reason": " "}).status_code == 422
    assert on_disk(folder)
    assert browser.post(url(ticket, f"{row.pk}/remove/"), {"reason": "A password."}).status_code == 302
    assert not on_disk(folder)
    row.refresh_from_db()
    assert row.removed_at is not None
    assert Activity.objects.get(verb="ticket.removed").reason == "A password."
    page = browser.get(url(ticket)).content.decode()
    assert "leak.txt" in page and f'href="{url(ticket, f"{row.pk}/")}"' not in page
    answer = browser.get(url(ticket, f"{row.pk}/"))
    assert answer.status_code == 410 and "was removed" in answer.content.decode()
    again = browser.post(url(ticket, f"{row.pk}/remove/"), {"reason": "Again."})
    assert again.status_code == 409 and "was removed already" in again.content.decode()
    assert attach(ticket, b"password: hunter2", "leak.txt").pk != row.pk


@pytest.mark.django_db(transaction=True)
def test_a_removal_that_is_taken_back_keeps_the_bytes(world: World, ticket: Ticket, folder: Path) -> None:
    row = attach(ticket)
    with pytest.raises(ZeroDivisionError), unit_of_work():
        attachments.remove(row, reason="Not yet.")
        _ = 1 / 0
    row.refresh_from_db()
    assert row.removed_at is None and bytes_of(row) == b"words"


# Never a row without its file, no file for ever without a row ---------------------------


@pytest.mark.django_db(transaction=True)
def test_a_transaction_that_is_taken_back_leaves_no_row(ticket: Ticket, folder: Path) -> None:
    with pytest.raises(ZeroDivisionError), attachments.stored([upload()]) as (one,), unit_of_work():
        attachments.receive(ticket, one, uploader=None)
        _ = 1 / 0
    assert not Attachment.objects.exists() and not on_disk(folder)


@pytest.mark.django_db(transaction=True)
def test_what_fails_after_the_commit_takes_no_byte_of_a_row(ticket: Ticket, folder: Path) -> None:
    with pytest.raises(ZeroDivisionError), attachments.stored([upload()]) as (one,):
        attachments.receive(ticket, one, uploader=None)
        _ = 1 / 0
    assert bytes_of(Attachment.objects.get()) == b"words"


def bytes_of(row: Attachment) -> bytes:
    with attachments.open_file(row) as file:
        return file.read()


def age(path: Path) -> None:
    old = time.time() - attachments.ORPHAN_SECONDS - 60
    os.utime(path, (old, old))


def test_the_sweep_takes_old_files_without_a_row_and_no_other(ticket: Ticket, folder: Path) -> None:
    kept, removed = attach(ticket, b"kept"), attach(ticket, b"removed")
    Attachment.objects.filter(pk=removed.pk).update(removed_at=removed.created_at)
    (folder / "ab").mkdir(exist_ok=True)
    for name in ("ab/abandoned", "arriving/half"):
        (folder / name).write_bytes(b"orphan")
    (folder / "ab" / "abjust-now").write_bytes(b"its row is still on its way")
    for path in on_disk(folder):
        if path.name != "abjust-now":
            age(path)
    assert attachments.sweep_files() == 3
    assert {path.name for path in on_disk(folder)} == {kept.stored_as, "abjust-now"}
    assert attachments.sweep_files() == 0


@pytest.mark.django_db(transaction=True)
def test_the_sweep_is_a_job_that_every_installation_has(folder: Path) -> None:
    Schedule.objects.all().delete()
    schedules.make_standing()
    Schedule.objects.filter(name="clear-files-away").update(every_seconds=3600)
    schedules.make_standing()
    assert Schedule.objects.get(name="clear-files-away").every_seconds == 3600
    assert schedules.run_due() >= 1
    (folder / "ab").mkdir(parents=True)
    (folder / "ab" / "abandoned").write_bytes(b"orphan")
    age(folder / "ab" / "abandoned")
    (claim,) = claims.claim("short", ["files"], worker="short@test", most=1)
    kind = kinds.get("files")
    assert kind is not None and kind.run(claim) == 1
    assert not on_disk(folder)


def test_a_file_that_the_disk_lost_is_said_to_be_lost(
    world: World, sign_in: SignIn, ticket: Ticket, folder: Path
) -> None:
    row = attach(ticket)
    on_disk(folder)[0].unlink()
    answer = sign_in(world.viewer).get(url(ticket, f"{row.pk}/"))
    assert answer.status_code == 410 and "not in the data folder" in answer.content.decode()


def test_the_page_of_files_costs_the_same_for_one_and_for_many(
    world: World, sign_in: SignIn, counted: Counted, ticket: Ticket
) -> None:
    attach(ticket, b"0")
    browser = sign_in(world.operator)
    one = counted(browser, url(ticket))
    for number in range(1, 12):
        attach(ticket, b"%d" % number)
    assert counted(browser, url(ticket)) == one
