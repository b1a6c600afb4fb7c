"""Static files that old and new processes share: no name is ever without its file, and no file is cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import RequestFactory, override_settings

from portal.site.launching import collecting
from portal.site.statics import SharedFiles

pytestmark = pytest.mark.once
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "portal.site.statics.Hashed"},
}


@pytest.fixture
def root(tmp_path: Path, settings: Any) -> Path:
    folder = settings.STATIC_ROOT = tmp_path / "static"
    folder.mkdir()
    return folder


def get(files: SharedFiles, name: str) -> tuple[int, bytes, str]:
    answer = files(RequestFactory().get(f"/static/{name}"))
    body = b"".join(answer)
    if (file := getattr(answer, "file_to_stream", None)) is not None:
        file.close()
    return answer.status_code, body, answer.get("Content-Length", "")


def files() -> SharedFiles:
    return SharedFiles(lambda request: HttpResponse(b"none", status=404))


def test_what_was_collected_after_the_start_is_found_and_what_was_replaced_is_whole(root: Path) -> None:
    (root / "a.css").write_text("old")
    served = files()
    assert get(served, "a.css") == (200, b"old", "3")
    (root / "a.css").write_text("longer than before")
    (root / "b.0123456789ab.css").write_text("of the next version")
    assert get(served, "a.css") == (200, b"longer than before", "18")
    assert get(served, "b.0123456789ab.css")[1] == b"of the next version"
    assert get(served, "none.css")[0] == 404


@pytest.mark.parametrize("name", ["../secret", "%2e%2e/secret", "x/../../secret", "/etc/hostname", ""])
def test_nothing_outside_the_folder_is_found(root: Path, name: str) -> None:
    (root.parent / "secret").write_text("secret")
    assert get(files(), name)[0] == 404


def test_new_files_come_by_rename_and_those_of_other_versions_stay(tmp_path: Path, root: Path) -> None:
    source = tmp_path / "source" / "live"
    source.mkdir(parents=True)
    (source / "a.js").write_text('import { b } from "./b.js";\n')
    (source / "b.js").write_text("export const b = 1;\n")
    with override_settings(
        STORAGES=STORAGES,
        STATICFILES_DIRS=[source.parent],
        STATICFILES_FINDERS=["django.contrib.staticfiles.finders.FileSystemFinder"],
    ):
        collecting.collect()
        [first] = [path for path in (root / "live").glob("a.*.js")]
        assert "./b." in first.read_text() and './b.js"' not in first.read_text(), "its import is hashed"
        kept = (root / "live" / "a.js").stat().st_ino
        (source / "b.js").write_text("export const b = 2;\n")
        collecting.collect()
    assert first.exists(), "a page that is open asks for it"
    assert len(list((root / "live").glob("a.*.js"))) == 2
    assert (root / "live" / "a.js").stat().st_ino == kept, "what did not change is not written again"
    assert not list(root.glob(".collecting-*"))
