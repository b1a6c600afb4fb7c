"""Files of tickets: the bytes first, whole and on the disk, then their row.

A file is written under a random name into ``DATA_DIR/attachments``, hashed on
its way, synced and renamed before any row names it. So a row without its file
cannot be; a rollback or a kill leaves at most a file without a row, which
``sweep_files`` deletes. Bytes are read by ``open_file`` alone, never as a page.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import time
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db.models import Count, Q, Sum
from django.db.utils import Error as DatabaseFailure

from portal.core import limits
from portal.core.clock import Wall
from portal.core.lifecycle import Gone, Refused
from portal.core.models import User
from portal.core.unit import Pointer, UnitOfWork, unit_of_work
from portal.core.unseen import is_unseen
from portal.core.uploads import with_room
from tickets import images
from tickets.locks import lock
from tickets.models import Attachment, Message, Ticket, TicketState

# Shown small on the page from the file itself: larger ones are files to download.
SHOWN_BYTES: Final = 2_000_000
NAME_CHARS: Final = 200
# Longer than any request, and any transaction, may take: whoever wrote the file has said so in a row by then.
ORPHAN_SECONDS: Final = 2 * 3600
_CHUNK: Final = 1_048_576
_DEVICES: Final = frozenset({"CON", "PRN", "AUX", "NUL", *(f"{name}{n}" for name in ("COM", "LPT") for n in range(10))})


class TooLarge(Refused):
    """A file, or all files of a ticket together, would be more than is taken."""

    status = 413


class NotWhole(Refused):
    """What arrived is not what its sender says it is."""

    status = 400


class FileGone(Gone):
    """The row is there, the bytes are not."""

    status = 410


class Unfit(Refused):
    """A file that is taken from nobody."""

    status = 422


@dataclass(frozen=True, slots=True)
class Stored:
    """Bytes on the disk that no row names yet."""

    name: str
    media_type: str
    size_bytes: int
    digest: str
    stored_as: str


def clean_name(name: str) -> str:
    """A name for people to read: no folder, no control character, no device. Nothing is ever stored under it."""
    last = name.replace("\\", "/").rpartition("/")[2]
    text = "".join(letter for letter in last if unicodedata.category(letter) not in {"Cc", "Cs"}).strip(" .")
    stem, dot, ending = text.rpartition(".")
    if (stem or ending).partition(".")[0].upper() in _DEVICES:
        text, stem = f"_{text}", f"_{stem}"
    if len(text) > NAME_CHARS:
        kept = f"{dot}{ending}" if stem and len(ending) <= 20 else ""
        text = text[: NAME_CHARS - len(kept)] + kept
    return "file" if is_unseen(text) else text


# In ------------------------------------------------------------------------------


def check_files(files: Sequence[UploadedFile[Any]]) -> None:
    """Raises ``Refused`` for what can be seen to be too much before anything is read. All are taken, or none."""
    most, each = limits.value("REQUEST_FILES"), limits.value("ATTACHMENT_MAX_BYTES")
    if len(files) > most:
        raise TooLarge(f"At most {most} files at once (you sent {len(files)}). None was stored.")
    for file in files:
        name = clean_name(file.name or "")
        if not file.size:
            raise Unfit(f"{name} is empty: it has 0 bytes.")
        if file.size > each:
            raise TooLarge(f"{name} has {file.size:,} bytes; a file has at most {each:,}.")


@contextmanager
def stored(files: Sequence[UploadedFile[Any]], *, digest: str = "") -> Iterator[list[Stored]]:
    """The files on the disk, for ``receive`` inside the block; those that no row took are gone after it.

    To be entered before a transaction, which the writing would hold up.
    ``digest`` is the SHA-256 that the sender of one file says it has. Raises
    ``Refused``; nothing is stored then.
    """
    check_files(files)
    found: list[Stored] = []
    try:
        for file in files:
            found.append(_store(file, digest))
        yield found
    finally:
        _forget_untaken(found)


def _forget_untaken(found: list[Stored]) -> None:
    # Whatever went wrong, it may have been after the commit: only the rows know. Where they do not answer, or
    # are about to be rolled back, the files are left to the sweep.
    with suppress(DatabaseFailure):
        rows = Attachment.objects.filter(stored_as__in=[one.stored_as for one in found])
        taken = set(rows.values_list("stored_as", flat=True))
        for one in found:
            if one.stored_as not in taken:
                _delete(one.stored_as)


def _store(file: UploadedFile[Any], digest: str) -> Stored:
    """Write the bytes, hashed on their way, and sync them."""
    token, name = secrets.token_hex(20), clean_name(file.name or "")
    with with_room(), _arriving(token) as (path, arriving):
        found, size = hashlib.sha256(), 0
        for chunk in file.chunks(_CHUNK):
            size += len(chunk)
            found.update(chunk)
            arriving.write(chunk)
        if digest and digest.lower() != found.hexdigest():
            raise NotWhole(f"{name} did not arrive as it was sent: its SHA-256 is {found.hexdigest()}.")
        kind = _kind(arriving, name)
        arriving.flush()
        os.fsync(arriving.fileno())
        _keep(path, token)
    return Stored(name, kind, size, found.hexdigest(), token)


@contextmanager
def _arriving(token: str) -> Iterator[tuple[Path, BinaryIO]]:
    """A new file that is gone afterwards, unless it was moved away."""
    folder = _folder() / "arriving"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / token
    try:
        with open(path, "x+b", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            yield path, file
    finally:
        path.unlink(missing_ok=True)


def _kind(file: BinaryIO, name: str) -> str:
    """What its bytes say it is. An image that is not whole, or has no size, is a file of no known kind."""
    file.seek(0)
    kind = images.media_type(file.read(images.HEAD_BYTES))
    if kind not in images.SHOWN:
        return kind
    size = images.size(file, kind)
    if size is None or 0 in size:
        return images.UNKNOWN
    most = limits.value("IMAGE_PIXELS")
    if size[0] * size[1] > most:
        raise Unfit(f"{name} says that it has {size[0]:,} × {size[1]:,} pixels; an image has at most {most:,}.")
    return kind


def _keep(path: Path, token: str) -> None:
    kept = _path(token)
    kept.parent.mkdir(mode=0o700, exist_ok=True)
    os.rename(path, kept)
    # The name lies in the folder, and a new folder in the one above: both are synced, or a power cut takes them.
    for folder in (kept.parent, kept.parent.parent):
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def receive(
    ticket: Ticket,
    file: UploadedFile[Any] | Stored,
    *,
    uploader: User | None,
    message: Message | None = None,
    label: str = "",
) -> tuple[Attachment, bool]:
    """``(attachment, made)``: the same bytes on the same ticket are the same attachment.

    ``label`` names who sent it where that is no person. Raises ``Refused``
    where the ticket is done, or has no room for it; nothing is stored then.
    """
    if isinstance(file, Stored):
        return _add(ticket, file, uploader, message, label)
    with stored([file]) as (one,):
        return _add(ticket, one, uploader, message, label)


def _add(
    ticket: Ticket, stored: Stored, uploader: User | None, message: Message | None, label: str
) -> tuple[Attachment, bool]:
    with unit_of_work() as work:
        held = lock(ticket)
        here = Attachment.objects.filter(ticket=held, removed_at__isnull=True)
        same = here.filter(digest=stored.digest).first()
        if same:
            return same, False
        if held.state == TicketState.DONE:
            raise Refused(f"{held.key} is done, so it takes no file. Reopen it, then attach.")
        used = here.aggregate(number=Count("id"), size=Sum("size_bytes", default=0))
        _check_room(held, used["number"], used["size"], stored)
        made = Attachment.objects.create(
            ticket=held,
            message=message,
            name=stored.name,
            media_type=stored.media_type,
            size_bytes=stored.size_bytes,
            digest=stored.digest,
            stored_as=stored.stored_as,
            uploader=uploader,
            uploader_label=(str(uploader) if uploader else label)[:254],
        )
        after = {"file": stored.name, "bytes": stored.size_bytes, "sha256": stored.digest}
        _tell(work, made, held, "attached", 1, after=after)
    return made, True


def _check_room(ticket: Ticket, number: int, size: int, stored: Stored) -> None:
    most, total = limits.value("TICKET_FILES"), limits.value("ATTACHMENTS_TOTAL_BYTES")
    if number >= most:
        raise TooLarge(f"{ticket.key} has {number} files, and takes at most {most}. Remove one, then attach.")
    if size + stored.size_bytes > total:
        left = max(0, total - size) / 1_000_000
        raise TooLarge(
            f"{stored.name} has {stored.size_bytes / 1_000_000:.1f} MB, and {ticket.key} has {left:.1f} MB left"
            " for files. Remove one, then attach."
        )


def attach(
    ticket: Ticket, files: Sequence[UploadedFile[Any]], *, uploader: User | None, digest: str = ""
) -> list[tuple[Attachment, bool]]:
    """All of the files, or none. Raises ``Refused``."""
    with stored(files, digest=digest) as found, unit_of_work():
        return [receive(ticket, one, uploader=uploader) for one in found]


# Out -----------------------------------------------------------------------------


class Files(NamedTuple):
    """Newest first; those removed are told too. ``more`` are left out."""

    rows: list[Attachment]
    more: int
    bytes: int


def of_ticket(ticket: Ticket) -> Files:
    every = Attachment.objects.filter(ticket=ticket)
    numbers = every.aggregate(all=Count("id"), bytes=Sum("size_bytes", filter=Q(removed_at=None), default=0))
    rows = list(every.select_related("message").order_by("-id")[: limits.value("TICKET_FILES")])
    return Files(rows, numbers["all"] - len(rows), numbers["bytes"])


def saved_name(attachment: Attachment) -> str:
    """The name that a download has: without marks that would turn its letters around."""
    return "".join(letter for letter in attachment.name if unicodedata.category(letter) != "Cf") or "file"


def is_shown(attachment: Attachment) -> bool:
    """Whether a page may show it as a small picture: an image by its own bytes, whole, and not heavy."""
    small = attachment.size_bytes <= SHOWN_BYTES and attachment.removed_at is None
    return small and attachment.media_type in images.SHOWN


def open_file(attachment: Attachment) -> BinaryIO:
    """The bytes. Raises ``FileGone`` where they were removed, or the disk lost them."""
    if attachment.removed_at is not None:
        raise FileGone(f"{attachment.name} was removed; the ticket's history says why.")
    try:
        return open(_path(attachment.stored_as), "rb")
    except FileNotFoundError:
        raise FileGone(
            f"The bytes of {attachment.name} are not in the data folder. An admin may have them in a backup."
        ) from None


def remove(attachment: Attachment, *, reason: str) -> Attachment:
    """Take the bytes away, after the commit; the row says for ever that there was a file, and why it is gone."""
    with unit_of_work() as work:
        held = lock(attachment.ticket)
        if Attachment.objects.filter(pk=attachment.pk, removed_at__isnull=True).update(removed_at=Wall()) != 1:
            raise Refused(f"{attachment.name} was removed already.")
        _tell(work, attachment, held, "removed", 2, before={"file": attachment.name}, reason=reason)
        work.after_commit(("attachment", attachment.pk), lambda: _delete(attachment.stored_as))
    attachment.refresh_from_db(fields=["removed_at"])
    return attachment


def sweep_files(now: float | None = None) -> int:
    """Delete files that no row names and that no request can still be about to name; returns how many."""
    old = (time.time() if now is None else now) - ORPHAN_SECONDS
    deleted = 0
    for folder in sorted(_folder().glob("*/")):
        names = {entry.name for entry in os.scandir(folder) if entry.is_file() and entry.stat().st_mtime < old}
        if folder.name != "arriving":
            names -= _named(folder.name)
        for name in names:
            (folder / name).unlink(missing_ok=True)
        deleted += len(names)
    return deleted


def _named(beginning: str) -> set[str]:
    rows = Attachment.objects.filter(stored_as__startswith=beginning, removed_at__isnull=True)
    return set(rows.values_list("stored_as", flat=True))


def _tell(work: UnitOfWork, attachment: Attachment, ticket: Ticket, verb: str, version: int, **fields: Any) -> None:
    work.record(f"ticket.{verb}", ticket.subject, scope=f"project:{ticket.project_id}", **fields)
    work.announce(ticket.subject, Pointer("attachment", f"attachment:{attachment.pk}", version))


def _folder() -> Path:
    return Path(settings.DATA_DIR) / "attachments"


def _path(token: str) -> Path:
    return _folder() / token[:2] / token


def _delete(token: str) -> None:
    _path(token).unlink(missing_ok=True)
