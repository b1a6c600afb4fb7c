"""Error pages: what is said, and the request's id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.core.exceptions import BadRequest
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.urls import path

from portal.core.lifecycle import Refused
from portal.site import errors
from portal.site.middleware import RefusalPages
from portal.urls import handler400, handler403, handler404, handler500  # noqa: F401
from portal.urls import urlpatterns as own

if TYPE_CHECKING:
    from tests.factories import World

IDENTITY = "request-0001"


def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("the secret reason")


def unreadable(request: HttpRequest) -> HttpResponse:
    raise BadRequest("odd")


urlpatterns = [path("broken/", broken), path("unreadable/", unreadable), *own]


def ask(client: Client, url: str, **headers: str) -> Any:
    return client.get(url, headers={"X-Request-Id": IDENTITY, **headers})


@pytest.mark.urls(__name__)
@pytest.mark.parametrize(("url", "status"), [("/broken/", 500), ("/unreadable/", 400), ("/nothing-here/", 404)])
def test_an_error_page_names_the_request(db: None, client: Client, url: str, status: int) -> None:
    client.raise_request_exception = False
    answer = ask(client, url)
    page = answer.content.decode()
    assert answer.status_code == status
    assert answer["X-Request-Id"] == IDENTITY
    assert f'<code id="request-id">{IDENTITY}</code>' in page
    assert 'data-copy="request-id"' in page
    assert "the secret reason" not in page


@pytest.mark.urls(__name__)
def test_a_program_gets_its_error_as_json(db: None, client: Client) -> None:
    client.raise_request_exception = False
    answer = ask(client, "/broken/", accept="application/json")
    assert answer.json() == {
        "error": {"code": "500", "message": "Something broke on our side.", "request_id": IDENTITY}
    }


def test_the_500_page_needs_no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    def down(*args: Any, **kwargs: Any) -> None:
        raise DatabaseError("down")

    monkeypatch.setattr("django.db.backends.base.base.BaseDatabaseWrapper.ensure_connection", down)
    request = RequestFactory().get("/tickets/")
    request.request_id = IDENTITY  # type: ignore[attr-defined]
    answer = errors.server_error(request)
    assert answer.status_code == 500
    assert IDENTITY in answer.content.decode()


def test_not_allowed_says_what_it_takes(world: World, client: Client) -> None:
    client.force_login(world.viewer, "allauth.account.auth_backends.AuthenticationBackend")
    answer = ask(client, "/schema/")
    assert answer.status_code == 403
    assert "Only people who administer this installation may do this." in answer.content.decode()
    assert IDENTITY in answer.content.decode()


def test_a_form_that_is_too_old_gives_the_typed_text_back(db: None) -> None:
    request = RequestFactory().post(
        "/tickets/new/", {"body": "long <b>text</b>", "password": "hidden", "csrfmiddlewaretoken": "x"}
    )
    request.request_id = IDENTITY  # type: ignore[attr-defined]
    answer = errors.csrf_failure(request)
    page = answer.content.decode()
    assert answer.status_code == 403
    assert "long &lt;b&gt;text&lt;/b&gt;" in page
    assert "hidden" not in page.replace('aria-hidden="true"', "")
    assert IDENTITY in page


def test_a_refusal_is_a_conflict_with_its_sentence() -> None:
    request = RequestFactory().post("/", headers={"referer": "https://example.org/"})
    middleware = RefusalPages(lambda request: HttpResponse())
    answer = middleware.process_exception(request, Refused("MC-1 is done. To lift: reopen it."))
    assert answer is not None
    assert answer.status_code == 409
    page = answer.content.decode()
    assert "MC-1 is done. To lift: reopen it." in page
    assert "example.org" not in page
    assert middleware.process_exception(request, ValueError()) is None
