"""Identity of a request: its id, its actor, its age."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any, Final

from django.conf import settings
from django.contrib.auth import logout
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed

from portal.core import cause as causes
from portal.core.cause import Actor, Cause

Next = Callable[[HttpRequest], HttpResponse]
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9-]{8,40}")


class RequestIdentity:
    """Gives every request an id; one that a client sends is kept if it is well formed."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        sent = request.headers.get("X-Request-Id", "")
        request_id = sent if _REQUEST_ID.fullmatch(sent) else causes.new_request_id()
        request.request_id = request_id  # type: ignore[attr-defined]
        visitor = Actor("user", "", "not signed in")
        with causes.bound(Cause(visitor, request_id, because="request", origin=_address(request))):
            response = self.get_response(request)
        response["X-Request-Id"] = request_id
        return response


class RequestActor:
    """Binds the signed-in person as the actor of everything the request does."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = request.user
        if not user.is_authenticated:
            return self.get_response(request)
        with causes.acting(Actor("user", str(user.pk), str(user)), because=f"{request.method} {request.path}"[:120]):
            return self.get_response(request)


class WholeText:
    """Refuses a NUL in an address or a form: one database stores it, the other breaks over it."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> None:
        if "\0" in request.path:
            raise Http404
        # A body that is JSON is refused where it is read; to look for a form in it would use it up.
        forms = [request.GET] if request.path.startswith("/api/") else [request.GET, request.POST]
        for sent in forms:
            for name, values in sent.lists():
                if "\0" in name or any("\0" in value for value in values):
                    raise BadRequest("A text holds a NUL character.")


class PlainMethods:
    """Refuses a method that no page has: views of libraries answer it as if it were GET."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        # Our own pages name their methods, and so does the API.
        if hasattr(view, "methods") or request.path.startswith("/api/"):
            return None
        known = ("GET", "HEAD", "POST")
        return None if request.method in known else HttpResponseNotAllowed(known)


class SessionAge:
    """Ends a session at its absolute age, however busy it was."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated:
            began = request.session.setdefault("began_at", int(time.time()))
            if time.time() - began > settings.LIMITS["SESSION_MAX_HOURS"] * 3600:
                logout(request)
        return self.get_response(request)


def _address(request: HttpRequest) -> str:
    return str(request.META.get("REMOTE_ADDR", ""))
