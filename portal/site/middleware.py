"""Headers of pages."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from portal.core.lifecycle import Refused
from portal.core.middleware import Next
from portal.site import errors


class AdminContentPolicy:
    """The admin theme evaluates expressions; under /admin/ alone the policy allows that."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.path.startswith("/admin/"):
            policy = {"script-src": ["'self'", "'unsafe-eval'"], "style-src": ["'self'", "'unsafe-inline'"]}
            response._csp_update = policy  # type: ignore[attr-defined]
        return response


class PrivatePages:
    """What a signed-in person sees is stored nowhere on the way."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.user.is_authenticated and not response.has_header("Cache-Control"):
            response["Cache-Control"] = "no-store, private"
        return response


class ReadForms:
    """Reads a form before anybody looks into it, so that one the disk has no room for is told as that."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        # A body that is JSON is refused where it is read; to look for a form in it would use it up.
        if request.path.startswith("/api/"):
            return None
        try:
            _ = request.POST
        except Refused as refusal:
            return errors.refused(request, refusal)
        return None


class RefusalPages:
    """A change that a rule refused is answered with 409 and the rule's sentence, whichever view asked."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        return errors.refused(request, exception) if isinstance(exception, Refused) else None
