"""What is typed into any field of any form, of the pages and of the admin: refused in words or kept as text."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from deployments.models import Environment, Service
from tests.bad_inputs.forms import Found
from tests.bad_inputs.sending import FORM, Sender
from tests.factories import World
from tests.signing_in import sign_in, static_root
from tests.walking.objects import ENVIRONMENT, SERVICE
from tickets.models import Project, Ticket

__all__ = ["sign_in", "static_root"]
pytestmark = [pytest.mark.django_db, pytest.mark.timeout(600), pytest.mark.usefixtures("unwatched")]
NAMES = {"title", "name", "series", "series_name", "key", "email"}
MARKUP = "<script>alert(1)</script>"
TEXTS = {
    "nul": "a\0b",
    "half a character": "a\ud800b",
    "unseen": "\u3164\u200b ",
    "long": "x" * 100_001,
    # and a name that turns around what follows it
    "markup": f"{MARKUP} gpj.\u202eexe",
    "twice": "y",
}
# What a page makes of it is the same on both engines, and so is what no engine is asked about.
ONLY_SHOWN = {"markup"}
ONLY_REFUSED = {"long", "nul", "twice"}
# What the engines keep differently, PostgreSQL the more strictly.
ONLY_STORED = {"half a character", "unseen"}
ELSEWHERE = {"all": set[str](), "engine": ONLY_SHOWN | ONLY_REFUSED, "embedded": ONLY_STORED}


def wrong(bad: str, name: str, status: int, shown: str, changed: bool) -> str:
    """What is wrong with the answer to a bad text in a field."""
    if status >= 500:
        return "broke"
    if bad == "nul" and status != 400:
        return "was not refused"
    if changed and (bad in {"nul", "long", "twice"} or (bad == "unseen" and name in NAMES)):
        return "changed something"
    if MARKUP in shown:
        return "became markup"
    # In a control a text stands as it was typed, to be edited.
    if "\u202e" in re.sub(r'<textarea.*?</textarea>|="[^"]*"', "", shown, flags=re.S):
        return "turns the page around"
    if bad == "markup" and status in {200, 422} and "&lt;script&gt;alert(1)&lt;/script&gt;" not in shown:
        return "was lost"
    return ""


def once_a_row(names: tuple[str, ...]) -> list[str]:
    """Of rows of a form that are like each other, the fields of the last, where a row is new."""
    return list({re.sub(r"-\d+-", "-#-", name): name for name in names}.values())


def with_text(form: Found, name: str, bad: str) -> dict[str, list[str]]:
    fields = form.sent(**{name: TEXTS[bad]})
    if bad == "twice":
        fields[name] = [*form.sent().get(name, []), TEXTS[bad]]
    return fields


@pytest.mark.pages
def test_no_text_in_any_field_of_any_form_breaks_changes_or_loses_what_it_should_not(
    sender: Sender, pytestconfig: pytest.Config
) -> None:
    texts = [bad for bad in TEXTS if bad not in ELSEWHERE[pytestconfig.getoption("part")]]
    found = []
    for form in sender.forms():
        # The account's own address in a form for a password is for the browser's memory.
        for name in (name for name in once_a_row(form.typed) if name != "username"):
            for bad in texts:
                answer, shown, changed = sender.send(form.action, with_text(form, name, bad))
                if form.action.startswith("/admin/"):
                    # The admin shows stored text as its theme does: escaped, and in one direction with the page.
                    shown = shown.replace("\u202e", "")
                problem = wrong(bad, name, answer.status_code, shown, changed)
                if problem:
                    found.append(f"{form.action}, {name}, {bad}: {problem} ({answer.status_code})")
    assert not found, "\n" + "\n".join(found)


@pytest.mark.once
def test_no_form_of_a_thousand_and_one_fields_and_no_broken_one_is_read(sender: Sender) -> None:
    many = "&".join(f"x{n}=1" for n in range(1001))
    sent = {
        (many, FORM): {400},
        ("--x\r\n", "multipart/form-data"): {400},
        ('--x\r\nContent-Disposition: form-data; name="title"\r\n\r\nhalf', "multipart/form-data; boundary=x"): {400},
        ("x" * 8_100_000, FORM): {413},
    }
    found = []
    for number, action in enumerate(sorted({form.action for form in sender.forms()})):
        for (body, kind), wanted in sent.items():
            # Megabytes at each of them stay in memory until the end; they are refused before any form is looked for.
            if len(body) > 8_000_000 and number % 10:
                continue
            status = sender.ask("POST", action, data=body, content_type=kind).status_code
            if status not in wanted:
                found.append(f"{action}, {kind}, {body[:20]!r}: {status}")
    assert not found, "\n" + "\n".join(found)


# A form that is not of a page of ours, and one that was sent again -------------------------


@pytest.mark.parametrize("token", ["", "x" * 32, "x" * 64, "é"], ids=["missing", "of elsewhere", "old", "damaged"])
def test_no_form_without_its_token_changes_anything_or_loses_what_was_typed(world: World, token: str) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(world.operator, "allauth.account.auth_backends.AuthenticationBackend")
    typed = {"project": "MC", "title": "Oil <the> door", "body": "At night."}
    browser.get("/tickets/new/")
    answer = browser.post("/tickets/new/", typed | {"csrfmiddlewaretoken": token})
    page = answer.content.decode()
    assert answer.status_code == 403 and not Ticket.objects.exists()
    assert "Oil &lt;the&gt; door" in page and "At night." in page
    # From the page that is opened again the same words go through.
    again = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', browser.get("/tickets/new/").content.decode())
    assert again
    assert browser.post("/tickets/new/", typed | {"csrfmiddlewaretoken": again[1]}).status_code == 302
    assert Ticket.objects.get().title == "Oil <the> door"


@pytest.mark.parametrize(
    ("address", "form", "model"),
    [
        ("/projects/new/", {"key": "NW", "title": "New"}, Project),
        ("/deployments/services/new/?project=MC", SERVICE, Service),
        ("/deployments/environments/new/?project=MC", ENVIRONMENT, Environment),
        ("/tickets/new/", {"project": "MC", "title": "Oil the door", "body": ""}, Ticket),
        ("/admin/tickets/ticket/add/", {"of_project": "MC", "title": "Oil the door", "body": ""}, Ticket),
    ],
)
def test_no_form_that_is_sent_twice_makes_two(
    world: World, sign_in: Any, address: str, form: dict[str, str], model: Any
) -> None:
    browser, before = sign_in(world.admin), model.objects.count()
    if form.get("of_project"):
        form = form | {"of_project": str(world.mc.pk)}
    first, second = (browser.post(address, form) for _ in range(2))
    assert first.status_code == 302 and second.status_code in {200, 302, 409, 422}
    assert model.objects.count() == before + 1
