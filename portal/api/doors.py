"""The door of the API: a bearer token, an operation's rule, errors of one form."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from typing import Any, Final

import structlog
from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist, RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI, Schema
from ninja.errors import HttpError, ValidationError
from ninja.security import HttpBearer

from portal.api import idempotency
from portal.api.parsing import StrictParser
from portal.core import access, cause, tokens
from portal.core.access import Rule
from portal.core.cause import Actor
from portal.core.doors import Finder
from portal.core.lifecycle import Refused, Tracked, declared
from portal.core.models import ApiToken

log = structlog.get_logger(__name__)
CODES: Final = {400: "bad_request", 410: "gone", 413: "too_large", 415: "media_type", 422: "unfit", 503: "unavailable"}


class Token(HttpBearer):
    """``Authorization: Bearer srm_...``; a cookie opens nothing here, and a token in the address neither."""

    def authenticate(self, request: HttpRequest, token: str) -> ApiToken | None:
        return tokens.find(token)


api = NinjaAPI(
    title="Shiproom",
    version="1",
    auth=Token(),
    parser=StrictParser(),
    urls_namespace="api",
    docs_url=None,
    openapi_url=None,
)


class Unfit(HttpError):
    """What was sent cannot be; 400, or another status, with the name of the parameter or field."""

    def __init__(self, field: str, message: str, status: int = 400) -> None:
        super().__init__(status, message)
        self.field = field


def operation(
    method: str,
    path: str,
    name: str,
    rule: Rule,
    *,
    find: Finder | None = None,
    query: type[Schema] | None = None,
    **options: Any,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare, guard and route one operation.

    ``find`` gets the path's arguments; what it finds is ``request.found``.
    ``query`` holds the parameters that there are: others are refused, not
    ignored. A token without the right to write may only read, whatever its
    user may. One that writes says what it answers (``response``), and is done
    once under an ``Idempotency-Key``.
    """
    operation = access.declare(name, "api", rule)
    named = set(re.findall(r"{(?:\w+:)?(\w+)}", path))
    writes = method != "get"
    if writes:
        shape: type[Schema] = options["response"]
        more = options.get("openapi_extra", {})
        options["openapi_extra"] = more | {"parameters": [idempotency.PARAMETER]}

    def guard(view: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(view)
        def guarded(request: HttpRequest, **arguments: Any) -> Any:
            token: ApiToken = request.auth  # type: ignore[attr-defined]
            user = request.user = token.user
            if writes and not token.may_write:
                raise access.Forbidden("This token may only read. Issue one that may write.")
            _check_query(request, query)
            names = {key: value for key, value in arguments.items() if key in named}
            enter = functools.partial(_enter, request, rule, find, names)
            actor = Actor("token", token.prefix, f"{user} by token {token.name}")
            with cause.acting(actor, because=f"{request.method} {request.path}"[:120]):
                asked = idempotency.asked(request, user, name, rule) if writes else None
                if asked is None:
                    enter()
                    return view(request, **arguments)
                return idempotency.once(asked, enter, lambda: _answer(request, shape, view(request, **arguments)))

        # Annotations are names of the view's own module: ninja would look for them in this one.
        guarded.__signature__ = inspect.signature(view, eval_str=True)  # type: ignore[attr-defined]
        guarded.operation = operation  # type: ignore[attr-defined]
        route: Callable[[Callable[..., Any]], Callable[..., Any]] = getattr(api, method)(
            path, operation_id=name, **options
        )
        return route(guarded)

    return guard


def _enter(request: HttpRequest, rule: Rule, find: Finder | None, names: dict[str, Any]) -> str:
    """Find what the address names as ``request.found``, check the right to it; returns its scope."""
    found = find(**names) if find else None
    if find and found is None:
        raise access.Hidden("There is nothing here for you.")
    scope = found.scope if found else ""
    access.check(request.user, rule, scope)
    request.found = found.object if found else None  # type: ignore[attr-defined]
    return scope


def _answer(request: HttpRequest, shape: type[Schema], found: Any) -> HttpResponse:
    """What ninja makes of it, made while the transaction is open."""
    return api.create_response(request, shape.model_validate(found).model_dump(), status=200)


def _check_query(request: HttpRequest, query: type[Schema] | None) -> None:
    """Refuse what would be ignored, and what would be read once though given twice."""
    known = list(query.model_fields) if query else []
    for name, values in request.GET.lists():
        if name not in known:
            there = f"There are: {', '.join(known)}." if known else "This operation takes none."
            raise Unfit(name[:60], f"There is no such parameter. {there}")
        if len(values) > 1:
            raise Unfit(name, f"{name} is given twice.")


def _error(
    request: HttpRequest, status: int, code: str, message: str, field: str = "", more: dict[str, Any] | None = None
) -> HttpResponse:
    said = {"code": code, "field": field, "message": message, "request_id": cause.current().request_id}
    return api.create_response(request, {"error": said | (more or {})}, status=status)


@api.exception_handler(access.Denied)
def _denied(request: HttpRequest, error: access.Denied) -> HttpResponse:
    if isinstance(error, access.Hidden):
        return _error(request, 404, "not_found", "There is nothing here.")
    return _error(request, 403, "forbidden", str(error))


@api.exception_handler(Refused)
def _refused(request: HttpRequest, error: Refused) -> HttpResponse:
    """409, unless the refusal itself is about something else: a file too large, no room for it."""
    if error.status != 409:
        return _error(request, error.status, CODES.get(error.status, "refused"), str(error))
    return _error(request, 409, "refused", str(error), more=_standing(request))


def _standing(request: HttpRequest) -> dict[str, Any]:
    """Where the row stands now: its state, what that allows, and the version to send."""
    row = getattr(request, "found", None)
    if not isinstance(row, Tracked):
        return {}
    try:
        row.refresh_from_db(fields=["state", "version"])
    except ObjectDoesNotExist:
        return {}
    return {"state": row.state, "allowed": verbs(row, row.state), "version": row.version}


_speakers: dict[type[Tracked], Callable[[Any], list[str]]] = {}


def speak_for(model: type[Tracked], verbs_of: Callable[[Any], list[str]]) -> None:
    """Have ``verbs_of`` say what may be done with a row, where more than the row's own state decides that."""
    _speakers[model] = verbs_of


def verbs(row: Tracked, state: str) -> list[str]:
    """What a person may do with such a row in that state."""
    if verbs_of := _speakers.get(type(row)):
        return verbs_of(row)
    kind = str(row._meta.model_name)
    return [
        step.verb for machine in declared() if machine.kind == kind for step in machine.allowed(state) if step.label
    ]


@api.exception_handler(ValidationError)
def _invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    first = error.errors[0]
    field = ".".join(str(part) for part in first["loc"][1:] if part not in {"body", "form"})
    return _error(request, 400, "invalid", str(first["msg"]), field)


@api.exception_handler(HttpError)
def _http(request: HttpRequest, error: HttpError) -> HttpResponse:
    if isinstance(error.__cause__, HttpError):
        # ninja hides what the parser says behind a sentence of its own.
        error = error.__cause__
    if error.status_code == 401:
        answer = _error(request, 401, "sign_in", "Send a token that is valid: Authorization: Bearer srm_...")
        answer["WWW-Authenticate"] = "Bearer"
        return answer
    code = CODES.get(error.status_code, "bad_request")
    return _error(request, error.status_code, code, str(error), getattr(error, "field", ""))


@api.exception_handler(RequestDataTooBig)
def _too_large(request: HttpRequest, error: RequestDataTooBig) -> HttpResponse:
    most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    return _error(request, 413, "too_large", f"A request has at most {most} bytes.")


@api.exception_handler(Exception)
def _broke(request: HttpRequest, error: Exception) -> HttpResponse:
    """Nothing of the error is told but the id under which the log has it."""
    log.exception("api_failed", path=request.path)
    return _error(request, 500, "broke", "Something broke on our side.")
