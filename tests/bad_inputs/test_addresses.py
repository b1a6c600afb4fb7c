"""Addresses, methods, hosts and bodies that mean nothing: every entrance answers them in words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from portal.core.models import Activity
from tests.bad_inputs.sending import FORM, Sender
from tests.walking.routes import Route, all_routes

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(600), pytest.mark.usefixtures("unwatched")]
NO_NUMBERS = [2**31, 2**63, 2**200, "%00", "%ED%A0%80", "-1", "1e3", "0x1", "١", "%2e%2e%2f1"]
# Those that an engine is asked about; the others are refused before it.
ASKED = NO_NUMBERS[:5]
QUERIES = [
    "q=%ED%A0%80&state=open&state=closed&project=MC&project=ZZ&severity=x&kind=%F0&user__password__startswith=p",
    f"before={2**63}&p={10**9}&page={10**9}&o=9.-9.x&limit=-1&id__exact=1e3&sort=password",
    "before=%D9%A1%D9%A2&p=-1&page=%D9%A1&e=1&o=-&all=&_to_field=password&_popup=1&id__in=1,,x",
]


def names_a_row(route: Route) -> bool:
    """Whether the address names a row of ours; the libraries' keys of mails are no rows."""
    if route.door == "admin":
        return "<path:object_id>" in route.path and route.name.endswith("_change") or "/do/" in route.path
    return bool(route.parameters) and not route.path.startswith("accounts/")


def test_what_is_no_number_of_a_row_is_missing_at_every_address(sender: Sender, pytestconfig: pytest.Config) -> None:
    numbers = ASKED if pytestconfig.getoption("part") == "engine" else NO_NUMBERS
    found = []
    for route in filter(names_a_row, all_routes()):
        good = sender.objects.of(route.path)
        for name in route.parameters:
            for number in numbers:
                text = f"MC-{number}" if name == "key" and not route.path.startswith("projects") else str(number)
                status, location = ask(sender, route, route.address({**good, name: text}))
                # The admin says so on its first page.
                if status != 404 and not (route.door == "admin" and (status, location) == (302, "/admin/")):
                    found.append(f"{route.methods[0]} {route.path} with {text}: {status} {location}")
    assert not found, "\n" + "\n".join(found)


def ask(sender: Sender, route: Route, address: str) -> tuple[int, str]:
    if route.door == "api":
        body = json.dumps(sender.objects.bodies.get(route.operation.name if route.operation else "", {}))
        return sender.call(route.methods[0], address, body).status_code, ""
    sent: dict[str, Any] = {} if route.methods[0] == "GET" else {"content_type": FORM}
    answer = sender.ask(route.methods[0], address, **sent)
    return answer.status_code, answer.get("Location", "")


def test_no_query_breaks_a_page(sender: Sender, pytestconfig: pytest.Config) -> None:
    # Half a character and the other digits are refused before any engine is asked.
    queries = QUERIES[1:2] if pytestconfig.getoption("part") == "engine" else QUERIES
    found = []
    for route, address in sender.pages():
        if route.door == "admin" and not route.name.endswith(("_changelist", "index", "autocomplete")):
            # The page of one row takes no query.
            continue
        for query in queries:
            asked = f"{address}{'&' if '?' in address else '?'}{query}"
            status = sender.ask("GET", asked).status_code
            if status >= 500:
                found.append(f"{asked}: {status}")
    assert not found, "\n" + "\n".join(found)


@pytest.mark.once
def test_no_address_answers_a_method_that_it_does_not_have(sender: Sender) -> None:
    found = []
    for route in all_routes():
        address = route.address(sender.objects.of(route.path))
        for method in {"PUT", "TRACE", "DELETE", "BREW"} - set(route.methods):
            # The root of the API is no operation.
            wanted = 404 if route.name == "api-root" else 405
            status = (sender.call if route.door == "api" else sender.ask)(method, address).status_code
            if status != wanted:
                found.append(f"{method} {address}: {status}")
    assert not found, "\n" + "\n".join(found)
    # A field of a form is no method.
    key = sender.objects.ticket.key
    assert sender.ask("POST", f"/tickets/{key}/", data="_method=DELETE", content_type=FORM).status_code == 405


@pytest.mark.once
def test_no_page_answers_to_another_host_or_names_it(sender: Sender) -> None:
    for route, address in sender.pages():
        assert sender.ask("GET", address, HTTP_HOST="evil.example").status_code == 400, address
        if route.door == "admin" and route.name.endswith(("_add", "_delete", "_history")):
            # They are made as the page of a row is.
            continue
        answer = sender.ask("GET", address, HTTP_X_FORWARDED_HOST="evil.example")
        shown = b"" if answer.streaming else answer.content
        assert b"evil.example" not in shown + answer.get("Location", "").encode(), address


BAD = {
    "nul": ("a\0b", {400}),
    "half a character": ("a\ud800b", {400}),
    "unseen": ("\u3164\u200b", {400, 404, 409, 422}),
}
# Its text is a document, which may be longer than that.
DOCUMENT = "api.council.hand_in"
BAD |= {"long": ("x" * 200_001, {400, 404, 413, 422}), "no text": (["x"], {400}), "a question": ({"$ne": 1}, {400})}


@pytest.mark.parametrize("bad", BAD)
def test_no_text_of_any_operation_is_stored_that_a_page_would_refuse(sender: Sender, bad: str) -> None:
    value, wanted = BAD[bad]
    before, found = Activity.objects.count(), []
    for route in all_routes():
        if bad == "long" and route.operation and route.operation.name == DOCUMENT:
            continue
        body = sender.objects.bodies.get(route.operation.name) if route.operation else None
        for name, good in (body or {}).items():
            # A ticket may be without a body; a file whose name nobody sees gets one.
            if isinstance(good, str) and (bad, name) not in {("unseen", "body"), ("unseen", "name")}:
                address = route.address(sender.objects.of(route.path))
                status = sender.call("POST", address, json.dumps({**body, name: value})).status_code
                if status not in wanted:
                    found.append(f"{address}, {name}: {status}")
    assert not found, "\n" + "\n".join(found)
    assert Activity.objects.count() == before
