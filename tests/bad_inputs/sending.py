"""A world with one of everything, and browsers of its people that leave it as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import quote_plus

from django.conf import settings as configured
from django.db import transaction
from django.test import Client

from portal.core import tokens
from portal.core.models import Activity
from tests.bad_inputs import forms
from tests.walking import objects
from tests.walking.routes import Route, all_routes

FORM = "application/x-www-form-urlencoded"
# To open it is to sign out.
NOT_OPENED = {"account_logout", "logout"}


def encoded(fields: dict[str, list[str]]) -> str:
    """As a browser encodes a form; half a character goes as the bytes that it would be."""
    return "&".join(
        f"{quote_plus(name, errors='surrogatepass')}={quote_plus(value, errors='surrogatepass')}"
        for name, values in fields.items()
        for value in values
    )


class Sender:
    """Sends as one person; whatever came of it is taken back."""

    def __init__(self, found: objects.Objects) -> None:
        self.objects = found
        client = Client()
        client.force_login(found.world.admin, "allauth.account.auth_backends.AuthenticationBackend")
        self._cookie = client.cookies[configured.SESSION_COOKIE_NAME].value
        self._token = tokens.issue(found.world.admin, name="bad", days=1, may_write=True)[1]
        # The first page of a session writes when it began.
        self.browser().get("/livez")

    def browser(self, **options: Any) -> Client:
        client = Client(raise_request_exception=False, **options)
        client.cookies = SimpleCookie({configured.SESSION_COOKIE_NAME: self._cookie})
        return client

    def ask(self, method: str, address: str, **options: Any) -> Any:
        with as_it_was():
            answer = self.browser().generic(method, address, **options)
            if answer.streaming:
                assert b"".join(answer.streaming_content) is not None
            return answer

    def call(self, method: str, address: str, body: str = "{}") -> Any:
        with as_it_was():
            headers = {"Authorization": f"Bearer {self._token}"}
            client = Client(raise_request_exception=False)
            return client.generic(method, address, body, content_type="application/json", headers=headers)

    def send(self, action: str, fields: dict[str, list[str]]) -> tuple[Any, str, bool]:
        """The answer, what a browser shows then, and whether anything was changed."""
        with as_it_was():
            before = Activity.objects.count()
            browser = self.browser()
            answer = browser.generic("POST", action, encoded(fields), content_type=FORM)
            changed = Activity.objects.count() != before
            shown = answer
            if answer.status_code == 302 and answer["Location"].startswith("/"):
                shown = browser.get(answer["Location"])
            return answer, shown.content.decode("utf-8", "replace"), changed

    def pages(self) -> Iterator[tuple[Route, str]]:
        """Every address that is opened, and the ones that take their project from it once more."""
        for route in all_routes():
            if route.door != "api" and "GET" in route.methods and route.name not in NOT_OPENED:
                address = route.address(self.objects.of(route.path))
                yield route, address
                if address.endswith("/new/"):
                    yield route, f"{address}?project={self.objects.world.mc.key}"

    def forms(self) -> list[forms.Found]:
        found: dict[Any, forms.Found] = {}
        for _, address in self.pages():
            for form in forms.of_page(address, self.ask("GET", address)):
                found.setdefault(form.likeness, form)
        assert len(found) > 80
        return list(found.values())


@contextmanager
def as_it_was() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
