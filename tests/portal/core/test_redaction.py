"""One redaction: what is known is cut wherever it stands, and what is clean stays as it was."""

from __future__ import annotations

import io
import json
import logging
import string
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from portal.core import logs, redaction
from portal.core.redaction import MARK, redact

pytestmark = pytest.mark.once

LETTERS = string.ascii_lowercase + string.digits
values = st.text(LETTERS + "-_/+=.!%", min_size=6, max_size=40).filter(lambda text: text not in MARK)
# Words that name nothing and are shaped like nothing.
clean = st.text("bcdfgh .,\n", max_size=200)


@pytest.fixture(autouse=True)
def _own_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_known", set())


@given(known=st.lists(values, min_size=1, max_size=4), parts=st.lists(clean, min_size=1, max_size=5))
def test_a_known_secret_never_survives(known: list[str], parts: list[str]) -> None:
    redaction._known.clear()
    redaction.learn(known)
    text = "".join(part + known[n % len(known)] for n, part in enumerate(parts))
    assert not [value for value in known if value in redact(text)]


@given(clean)
def test_clean_text_is_unchanged(text: str) -> None:
    redaction._known.clear()
    redaction.learn(["a-known-secret-0"])
    assert redact(text) == text


def test_a_value_that_contains_another_leaves_no_tail() -> None:
    redaction.learn(["abcdef", "abcdef-and-more"])
    assert redact("x abcdef-and-more y") == f"x {MARK} y"


def test_a_value_too_short_to_be_told_from_words_is_not_learnt() -> None:
    redaction.learn(["short", "", "longer"])
    assert redact("short and longer") == f"short and {MARK}"


def test_what_is_secret_for_a_while_is_cut_for_a_while() -> None:
    redaction.learn(["learnt-before"])
    with redaction.knowing("for-a-while"), redaction.knowing("learnt-before"):
        assert redact("for-a-while learnt-before") == f"{MARK} {MARK}"
    assert redact("for-a-while learnt-before") == f"for-a-while {MARK}"


SHAPES = {
    "github": ("ghp_" + "a1B2" * 9, MARK),
    "gitlab": ("glpat-" + "a1B2" * 5, MARK),
    "slack": ("xoxb-123456789012-" + "a1B2" * 6, MARK),
    "anthropic": ("sk-ant-api03-" + "a1B2" * 8, MARK),
    "aws": ("AKIA" + "A1B2" * 4, MARK),
    "ours": ("srm_0a1b2c3d_" + "aB3_" * 10, MARK),
    "jwt": ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTYifQ.SflKxwRJSMeKKF2QT4", MARK),
    "bearer": ("Authorization: Bearer abcdefghijklmnop.qrs", f"Authorization: Bearer {MARK}"),
    "url": ("postgres://app:s3cr3tpass@db:5432/x", f"postgres://{MARK}@db:5432/x"),
    "url with an at sign": ("redis://:p@ss@store/0", f"redis://{MARK}@store/0"),
    "signed url": ("https://x.example/a?X-Amz-Signature=0a1b2c3d", f"https://x.example/a?X-Amz-Signature={MARK}"),
    "url of a shared file": ("https://x.example/a?sv=2&sig=aB3%2Fxyz%3D", f"https://x.example/a?sv=2&sig={MARK}"),
    "pair": ("password=hunter22, user=x", f"password={MARK}, user=x"),
    "pair in JSON": ('{"api_key": "0123456789"}', f'{{"api_key": "{MARK}"}}'),
    "private key": ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nafter", f"{MARK}\nafter"),
    "private key that is cut": ("-----BEGIN PRIVATE KEY-----\nMIIEvQ", MARK),
}


@pytest.mark.parametrize(("text", "expected"), SHAPES.values(), ids=SHAPES)
def test_the_shapes_of_credentials_are_cut(text: str, expected: str) -> None:
    assert redact(f"before {text}") == f"before {expected}"


@pytest.mark.parametrize(
    "text",
    [
        "https://example.org:8080/path",
        "see http://host/a:b and mail@example.org",
        "commit 4f2d7c9e1b3a5d6f8e7c9b1a2d3f4e5c6b7a8d9e",
        "the password was changed; ask-the-desk about the token",
        "MC-294 moved from running to in_review",
    ],
)
def test_words_that_only_look_like_it_stay(text: str) -> None:
    assert redact(text) == text


def test_the_installations_own_keys_are_learnt(settings: Any) -> None:
    settings.DATABASE_URL = "postgres://app:p%40ss-word@db/x"
    redaction.install()
    said = redact(f"{settings.SECRET_KEY} {settings.SECRETS_KEY} p%40ss-word p@ss-word")
    assert said == " ".join([MARK] * 4)


class TestLogs:
    @pytest.fixture
    def written(self) -> Iterator[io.StringIO]:
        """What the configured handler writes, as JSON lines."""
        before = logging.root.handlers[:], logging.root.level
        logs.configure({"level": "INFO", "plain": False})
        (handler,) = (each for each in logging.root.handlers if isinstance(each, logging.StreamHandler))
        stream = io.StringIO()
        handler.setStream(stream)
        yield stream
        logging.root.handlers[:], level = before
        logging.root.setLevel(level)

    def test_no_part_of_a_line_holds_a_known_secret(self, written: io.StringIO) -> None:
        secret = "correct-horse-battery"
        redaction.learn([secret])

        class Holder:
            def __repr__(self) -> str:
                return f"<Holder {secret}>"

        log = structlog.get_logger("test")
        try:
            raise ValueError(f"it was {secret}")
        except ValueError:
            log.exception("failed", text=secret, deep={"list": [secret, Holder()]}, thing=Holder())
            logging.getLogger("plain").exception("with %s", secret, extra={"thing": Holder()})
        text = written.getvalue()
        assert MARK in text
        assert secret not in text

    def test_a_line_break_in_a_value_begins_no_line(self, written: io.StringIO) -> None:
        structlog.get_logger("test").info("said", text='one\n{"level": "fake"}\x1b[31m')
        (line,) = written.getvalue().splitlines()
        assert json.loads(line)["text"].startswith("one\n")
