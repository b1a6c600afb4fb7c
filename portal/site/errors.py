"""Error pages: what broke, what became of the input, what to do next, and the request's id."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import loader

from portal.core.lifecycle import Refused


def answer(request: HttpRequest, status: int, template: str, **context: Any) -> HttpResponse:
    """An error page without a query: no context processor runs, since the database may be what broke."""
    request_id = getattr(request, "request_id", "")
    if "application/json" in request.headers.get("Accept", "") or request.path.startswith("/api/"):
        body = {
            "error": {
                "code": template.partition(".")[0],
                "message": context.get("sentence", ""),
                "request_id": request_id,
            }
        }
        return JsonResponse(body, status=status)
    kept = {"status": status, "request_id": request_id, "at": datetime.now(UTC), "path": request.path, **context}
    return HttpResponse(loader.get_template(template).render(kept), status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if isinstance(exception, RequestDataTooBig):
        most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        sentence = f"A form has at most {most:,} bytes, its files apart; this one has more."
        return answer(request, 413, "409.html", sentence=sentence, back=_back(request))
    return answer(request, 400, "400.html", sentence="The request was not understood.")


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    sentence = str(exception) or "You may not do this."
    return answer(request, 403, "403.html", sentence=sentence)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The page was open for too long, or signed in again elsewhere. The typed text is shown, to be taken along."""
    secret = {"csrfmiddlewaretoken", "login", "next"}
    typed = [
        (name, value)
        for name, value in request.POST.items()
        if isinstance(value, str)
        and value.strip()
        and name not in secret
        and "password" not in name
        and "code" not in name
    ]
    return answer(request, 403, "403_csrf.html", sentence="The form was too old to be trusted.", typed=typed)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return answer(request, 404, "404.html", sentence="There is nothing at this address.")


def server_error(request: HttpRequest) -> HttpResponse:
    return answer(request, 500, "500.html", sentence="Something broke on our side.")


def refused(request: HttpRequest, refusal: Refused) -> HttpResponse:
    """A rule, a state or a bound said no: mostly 409, with its sentence."""
    return answer(request, refusal.status, "409.html", sentence=str(refusal), back=_back(request))


def _back(request: HttpRequest) -> str:
    back = request.META.get("HTTP_REFERER", "")
    same_host = back.startswith(f"{request.scheme}://{request.get_host()}/")
    return back if same_host else "/"
