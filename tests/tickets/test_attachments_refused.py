"""Files that nobody should have sent: each is refused as it is written, and nothing of it is kept."""

from __future__ import annotations

import hashlib
import io
import resource
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from portal.core.lifecycle import Refused
from portal.core.uploads import StorageFull
from tests.signing_in import SignIn
from tests.tickets import build, pictures
from tests.tickets.files import attach, fetch, folder, on_disk, ticket, url
from tests.tickets.pictures import multipart, upload
from tests.workers.racing import race
from tickets import attachments, images
from tickets.models import Attachment, Ticket

if TYPE_CHECKING:
    from tests.factories import World

__all__ = ["folder", "ticket"]
FILE = 'Content-Disposition: form-data; name="file"; filename="a.txt"'


# U1: how much ---------------------------------------------------------------------------


def test_u1_an_empty_file_is_not_stored(world: World, sign_in: SignIn, ticket: Ticket, folder: Path) -> None:
    answer = sign_in(world.operator).post(url(ticket, "attach/"), {"file": upload(b"", "empty.log")})
    assert answer.status_code == 422 and "empty.log is empty: it has 0 bytes." in answer.content.decode()
    assert not Attachment.objects.exists() and not on_disk(folder)


def test_u1_no_file_has_one_byte_too_many(
    world: World, sign_in: SignIn, ticket: Ticket, settings: Any, folder: Path
) -> None:
    settings.LIMITS = {**settings.LIMITS, "ATTACHMENT_MAX_BYTES": 5000}
    browser = sign_in(world.operator)
    answer = browser.post(url(ticket, "attach/"), {"file": upload(b"x" * 5001)})
    assert answer.status_code == 413
    assert "notes.txt has 5,001 bytes; a file has at most 5,000." in answer.content.decode()
    assert not on_disk(folder)
    assert browser.post(url(ticket, "attach/"), {"file": upload(b"x" * 5000)}).status_code == 302


@pytest.mark.parametrize("number", [11, 101])
def test_u1_too_many_files_at_once_store_none_of_them(
    world: World, sign_in: SignIn, ticket: Ticket, folder: Path, number: int
) -> None:
    def files(number: int) -> list[Any]:
        return [upload(b"%d" % n, f"{n}.txt") for n in range(number)]

    answer = sign_in(world.operator).post(url(ticket, "attach/"), {"file": files(number)})
    assert answer.status_code == 413
    assert f"At most 10 files at once (you sent {number}). None was stored." in answer.content.decode()
    assert not on_disk(folder)
    answer = sign_in(world.operator).post(url(ticket, "attach/"), {"file": files(10)})
    assert answer.status_code == 302 and Attachment.objects.count() == len(on_disk(folder)) == 10


def test_u1_one_bad_file_takes_the_others_of_its_form_with_it(
    world: World, sign_in: SignIn, ticket: Ticket, folder: Path
) -> None:
    files = [upload(b"good", "good.txt"), upload(pictures.png(50_000, 50_000), "huge.png")]
    assert sign_in(world.operator).post(url(ticket, "attach/"), {"file": files}).status_code == 422
    assert not Attachment.objects.exists() and not on_disk(folder)


# U2: names ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\x\\report.txt", "report.txt"),
        ("CON", "_CON"),
        ("nul.tar.gz", "_nul.tar.gz"),
        ("a\nb\x00c.txt", "abc.txt"),
        ("x" * 300 + ".png", "x" * 196 + ".png"),
        ("..", "file"),
        ("", "file"),
        (". hidden .", "hidden"),
        ("annexe\u202egnp.exe", "annexe\u202egnp.exe"),
    ],
)
def test_u2_a_name_has_no_folder_no_control_and_no_device(sent: str, shown: str) -> None:
    assert attachments.clean_name(sent) == shown


def test_u2_no_name_decides_where_a_file_lies_or_how_its_header_ends(
    world: World, sign_in: SignIn, ticket: Ticket, folder: Path
) -> None:
    names = ['a"; filename="b.exe', "Überblick – 1.txt", "annexe\u202egnp.exe", "plain.txt"]
    headers = []
    for number, name in enumerate(names):
        row = attach(ticket, b"%d" % number)
        # What arrives by a form has lost such marks already; the other doors rely on this.
        Attachment.objects.filter(pk=row.pk).update(name=attachments.clean_name(name))
        answer, _ = fetch(sign_in(world.viewer), ticket, row)
        headers.append(answer["Content-Disposition"])
    assert headers == [
        'attachment; filename="a\\"; filename=\\"b.exe"',
        "attachment; filename*=utf-8''%C3%9Cberblick%20%E2%80%93%201.txt",
        'attachment; filename="annexegnp.exe"',
        'attachment; filename="plain.txt"',
    ]
    assert all(len(path.name) == 40 and path.parent.parent == folder for path in on_disk(folder))
    page = sign_in(world.viewer).get(url(ticket)).content.decode()
    assert "annexe[U+202E]gnp.exe" in page and "\u202e" not in page


# U3: what a browser might run -----------------------------------------------------------


HOSTILE = {
    "page.html": b"<script>alert(1)</script>",
    "drawing.svg": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "paper.pdf": b"%PDF-1.7\n/JavaScript (app.alert(1))",
    "both.png": b"GIF89a/*\x01\x00" + b"\0" * 30 + b"*/=1;alert(1)//",
    "whole.png": b"GIF89a\x01\0\x01\0=1;alert(1)//\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x3b",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_u3_nothing_of_a_file_is_ever_run(world: World, sign_in: SignIn, ticket: Ticket, name: str) -> None:
    row = attach(ticket, HOSTILE[name], name)
    browser = sign_in(world.viewer)
    answer, _ = fetch(browser, ticket, row)
    assert answer["Content-Type"] in {"application/octet-stream", "image/gif"}
    assert answer["Content-Disposition"].startswith("attachment;")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert "<script>alert" not in browser.get(url(ticket)).content.decode()


# U4: archives ---------------------------------------------------------------------------


def test_u4_an_archive_is_never_unpacked(ticket: Ticket, folder: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../escaped.txt", b"\0" * 5_000_000)
    row = attach(ticket, packed.getvalue(), "bomb.zip")
    assert row.media_type == "application/zip"
    assert [path.stat().st_size for path in on_disk(folder)] == [len(packed.getvalue())]
    assert not on_disk(folder.parent.parent / "escaped.txt")


# U5: images -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "kind", "size"),
    [
        (pictures.png(640, 480), "image/png", (640, 480)),
        (pictures.jpeg(640, 480), "image/jpeg", (640, 480)),
        (pictures.jpeg(640, 480, camera=300_000), "image/jpeg", (640, 480)),
        (pictures.gif(640, 480), "image/gif", (640, 480)),
        (pictures.webp(640, 480), "image/webp", (640, 480)),
    ],
)
def test_u5_the_size_of_an_image_is_what_its_header_says(
    tmp_path: Path, content: bytes, kind: str, size: tuple[int, int]
) -> None:
    (tmp_path / "image").write_bytes(content)
    with open(tmp_path / "image", "rb") as file:
        assert images.media_type(content[: images.HEAD_BYTES]) == kind
        assert images.size(file, kind) == size


def test_u5_an_image_larger_than_a_page_could_show_is_refused_by_its_header(
    world: World, sign_in: SignIn, ticket: Ticket, folder: Path
) -> None:
    answer = sign_in(world.operator).post(
        url(ticket, "attach/"), {"file": upload(pictures.png(50_000, 50_000), "huge.png")}
    )
    assert answer.status_code == 422
    assert "huge.png says that it has 50,000 × 50,000 pixels; an image has at most 40,000,000." in (
        answer.content.decode()
    )
    assert not on_disk(folder)


@pytest.mark.parametrize(
    "content",
    [
        pictures.jpeg()[:-2],
        pictures.jpeg()[:30],
        pictures.png()[:-6],
        pictures.webp()[:-4],
        pictures.gif()[:-1],
        pictures.png(0, 5),
        b"\xff\xd8\xff\xe1\x00\x00" + b"\xff" * 90 + b"\xff\xd9",
    ],
)
def test_u5_a_broken_image_is_a_plain_file(world: World, sign_in: SignIn, ticket: Ticket, content: bytes) -> None:
    row = attach(ticket, content, "broken.jpg")
    assert row.media_type == "application/octet-stream" and not attachments.is_shown(row)
    assert "<img" not in sign_in(world.viewer).get(url(ticket)).content.decode()


def test_u5_only_small_whole_images_are_shown_on_the_page(world: World, sign_in: SignIn, ticket: Ticket) -> None:
    attach(ticket, pictures.png(), "small.png")
    attach(ticket, pictures.png()[:-12] + b"\0" * 2_000_000 + pictures.png()[-12:], "heavy.png")
    attach(ticket, b"<svg/>", "drawing.svg")
    page = sign_in(world.viewer).get(url(ticket)).content.decode()
    small = Attachment.objects.get(name="small.png")
    assert page.count("<img") == 1 and f'<img src="{url(ticket, f"{small.pk}/")}"' in page


# U7: no room ----------------------------------------------------------------------------


@contextmanager
def disk_of(size: int) -> Iterator[None]:
    """No file of this process grows beyond ``size``: what a full disk does to a write."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_u7_on_a_full_disk_nothing_is_stored_and_that_is_said(ticket: Ticket, folder: Path) -> None:
    file = upload(b"x" * 5_000_000)
    with disk_of(4_000_000), pytest.raises(StorageFull, match="Storage full") as full:
        attachments.receive(ticket, file, uploader=None)
    assert full.value.status == 503
    assert not Attachment.objects.exists() and not on_disk(folder)


def test_u7_a_form_that_the_disk_has_no_room_for_is_503(world: World, sign_in: SignIn, ticket: Ticket) -> None:
    browser = sign_in(world.operator)
    with disk_of(4_000_000):
        answer = browser.post(url(ticket, "attach/"), {"file": upload(b"x" * 5_000_000)})
    assert answer.status_code == 503 and "Storage full" in answer.content.decode()
    assert not Attachment.objects.exists()


def test_u7_no_ticket_has_more_bytes_than_its_share(
    world: World, sign_in: SignIn, ticket: Ticket, settings: Any, folder: Path
) -> None:
    settings.LIMITS = {**settings.LIMITS, "ATTACHMENTS_TOTAL_BYTES": 3_000_000}
    browser = sign_in(world.operator)
    assert browser.post(url(ticket, "attach/"), {"file": upload(b"x" * 2_000_000)}).status_code == 302
    answer = browser.post(url(ticket, "attach/"), {"file": upload(b"y" * 1_000_001, "more.bin")})
    assert answer.status_code == 413
    assert f"more.bin has 1.0 MB, and {ticket.key} has 1.0 MB left for files." in answer.content.decode()
    assert len(on_disk(folder)) == 1
    assert browser.post(url(ticket, "attach/"), {"file": upload(b"y" * 1_000_000)}).status_code == 302


def test_u7_no_ticket_has_more_files_than_its_share(ticket: Ticket, settings: Any, folder: Path) -> None:
    settings.LIMITS = {**settings.LIMITS, "TICKET_FILES": 2}
    first = attach(ticket, b"1")
    attach(ticket, b"2")
    with pytest.raises(Refused, match="has 2 files, and takes at most 2"):
        attach(ticket, b"3")
    assert len(on_disk(folder)) == 2
    Attachment.objects.filter(pk=first.pk).update(removed_at=first.created_at)
    attach(ticket, b"3")


# U8: forms that are none ----------------------------------------------------------------


BAD_FORMS = {
    "no boundary": multipart((FILE, b"x")) | {"content_type": "multipart/form-data"},
    "no end": multipart((FILE, b"x"), end=""),
    "cut in a part": multipart((FILE, b"x" * 5000), end="")
    | {"data": multipart((FILE, b"x" * 5000), end="")["data"][:-100]},
    "ten thousand headers": multipart((FILE + "\r\nX-A: b" * 10_000, b"x")),
    "two file names": multipart((FILE + '; filename="b.exe"', b"x")),
    "two file names, one bare": multipart((FILE + "; FILENAME =b.exe", b"x")),
    "two dispositions": multipart((FILE + "\r\n" + FILE, b"x")),
    "a boundary within a line": multipart((FILE, b"x"), (FILE, b"--marker")),
}


@pytest.mark.parametrize("form", BAD_FORMS)
def test_u8_a_form_that_is_damaged_or_says_a_thing_twice_is_400(
    world: World, sign_in: SignIn, ticket: Ticket, folder: Path, form: str
) -> None:
    answer = sign_in(world.operator).post(url(ticket, "attach/"), **BAD_FORMS[form])
    assert answer.status_code == 400
    assert not Attachment.objects.exists() and not on_disk(folder)


@pytest.mark.parametrize("name", ['"; filename="b.exe', 'quo\\"te; filename=x.txt', "semi;colon.txt"])
def test_u8_a_name_that_only_looks_like_two_is_one(world: World, sign_in: SignIn, ticket: Ticket, name: str) -> None:
    head = 'Content-Disposition: form-data; name="file"; filename="{}"'.format(name.replace('"', "%22"))
    form = multipart((head + "\r\nContent-Type: text/plain; name=x", b"words"))
    assert sign_in(world.operator).post(url(ticket, "attach/"), **form).status_code == 302
    assert Attachment.objects.count() == 1


@pytest.mark.parametrize("size", [0, 1, 65_534, 65_535, 65_536, 65_537, 200_000])
def test_u8_a_whole_form_is_read_wherever_its_pieces_end(
    world: World, sign_in: SignIn, ticket: Ticket, size: int
) -> None:
    content = (b"\r\n--mar" * (size // 7 + 1))[:size] + b"z"
    form = multipart((FILE, content), ('Content-Disposition: form-data; name="sha256"', b""))
    assert sign_in(world.operator).post(url(ticket, "attach/"), **form).status_code == 302
    assert Attachment.objects.get().digest == hashlib.sha256(content).hexdigest()


# U9: the same file ----------------------------------------------------------------------


def test_u9_the_same_file_twice_is_one_attachment(world: World, sign_in: SignIn, ticket: Ticket, folder: Path) -> None:
    browser = sign_in(world.operator)
    for name in ("a.txt", "again.txt"):
        answer = browser.post(url(ticket, "attach/"), {"file": upload(b"same", name)})
        assert answer.status_code == 302
    assert [row.name for row in Attachment.objects.all()] == ["a.txt"] and len(on_disk(folder)) == 1
    assert "a.txt was attached before" in browser.get(url(ticket)).content.decode()
    attach(build.ticket(world.mc), b"same")
    assert Attachment.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_u9_the_same_file_many_times_at_once_is_one_attachment(ticket: Ticket, folder: Path) -> None:

    def send(name: str) -> tuple[int, bool]:
        row, made = attachments.receive(ticket, upload(b"same", name), uploader=None)
        return row.pk, made

    found = race(send, [(f"{n}.txt",) for n in range(6)])
    assert sorted(made for _, made in found) == [False] * 5 + [True]
    assert len({row for row, _ in found}) == 1 and len(on_disk(folder)) == 1


def test_u9_a_file_that_is_not_what_it_was_said_to_be_is_400(
    world: World, sign_in: SignIn, ticket: Ticket, folder: Path
) -> None:
    browser = sign_in(world.operator)
    right = hashlib.sha256(b"words").hexdigest()
    answer = browser.post(url(ticket, "attach/"), {"file": upload(b"words"), "sha256": "0" * 64})
    assert answer.status_code == 400 and "did not arrive as it was sent" in answer.content.decode()
    assert not on_disk(folder)
    both = {"file": [upload(b"words"), upload(b"2")], "sha256": right}
    assert browser.post(url(ticket, "attach/"), both).status_code == 422
    answer = browser.post(url(ticket, "attach/"), {"file": upload(b"words"), "sha256": right.upper()})
    assert answer.status_code == 302
