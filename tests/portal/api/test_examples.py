"""The examples of the API's page, run as they stand there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from portal.core.unit import unit_of_work
from reviews import planning
from reviews.importing import parse
from reviews.models import Review
from tests.factories import World
from tickets.models import Ticket

pytestmark = [pytest.mark.django_db(reset_sequences=True)]
PAGE = Path(__file__).resolve().parents[3] / "docs" / "api.md"


def commands() -> list[list[str]]:
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.S | re.M)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [shlex.split(line) for line in lines if line.startswith("curl")]


def run(words: list[str], token: str) -> Any:
    """What curl would send: POST where there are data or a form."""
    headers: dict[str, str] = {}
    data, form, address = None, None, ""
    given = iter(words[1:])
    for word in given:
        if word == "-H":
            name, _, value = next(given).partition(": ")
            headers[name] = value.replace("$SHIPROOM_TOKEN", token)
        elif word == "-d":
            data = next(given)
        elif word == "-F":
            name, _, file = next(given).partition("=@")
            form = {name: SimpleUploadedFile(file, b"squeak")}
        else:
            address = word.replace("$SHIPROOM_URL", "")
    if form:
        return Client().post(address, form, headers=headers)
    kind = headers.pop("Content-Type", "application/x-www-form-urlencoded")
    return Client().generic("POST" if data else "GET", address, data or "", content_type=kind, headers=headers)


def read(review: Review) -> None:
    """What the worker does with it meanwhile."""
    with unit_of_work():
        planning.make(review, parse(bytes(review.content), name=review.file_name))


def test_every_example_does_what_the_page_says(world: World, token: Callable[..., str]) -> None:
    text = token(world.owner)
    assert len(commands()) >= 10
    for words in commands():
        answer = run(words, text)
        assert answer.status_code == 200, (words[-1], answer.content)
        for review in Review.objects.filter(state="received"):
            read(review)
    ticket = Ticket.objects.get()
    assert (ticket.key, ticket.last_message, ticket.attachments.count()) == ("MC-1", 1, 1)
    assert ticket.findings.get().title == "The door squeaks"
