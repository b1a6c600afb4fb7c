"""The door of a page: the rule of an operation, enforced around a view.

``@page("tickets.ticket", within(Role.VIEWER), find=ticket_by_key)`` declares
the operation, finds the object through ``find`` and hands it to the view as
its second argument. A view without this decorator fails the walk.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotAllowed, JsonResponse

from portal.core import access
from portal.core.access import Audience, Rule


@dataclass(frozen=True, slots=True)
class Found:
    """An object, and the scope whose roles rule over it."""

    object: Any
    scope: str


Finder = Callable[..., Found | None]
View = Callable[..., HttpResponseBase]


def page(
    name: str, rule: Rule, *, find: Finder | None = None, methods: tuple[str, ...] = ("GET",)
) -> Callable[[View], View]:
    """Declare and guard a page. HEAD comes with GET."""
    operation = access.declare(name, "page", rule)
    allowed = (*methods, "HEAD") if "GET" in methods else methods

    def guard(view: View) -> View:
        @functools.wraps(view)
        def guarded(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
            if request.method not in allowed:
                return HttpResponseNotAllowed(allowed)
            if rule.audience is not Audience.PUBLIC and not request.user.is_authenticated:
                return _ask_to_sign_in(request)
            found = find(**kwargs) if find else None
            if find and found is None:
                raise Http404
            try:
                access.check(request.user, rule, found.scope if found else "")
            except access.Hidden:
                raise Http404 from None
            except access.Denied as denied:
                raise PermissionDenied(str(denied)) from None
            return view(request, found.object, **kwargs) if found else view(request, **kwargs)

        guarded.operation = operation  # type: ignore[attr-defined]
        guarded.methods = methods  # type: ignore[attr-defined]
        return guarded

    return guard


def _ask_to_sign_in(request: HttpRequest) -> HttpResponse:
    if request.headers.get("HX-Request"):
        # A fragment must not swap the login page into itself: the browser goes there whole.
        return HttpResponse(status=401, headers={"HX-Redirect": "/accounts/login/"})
    if "application/json" in request.headers.get("Accept", ""):
        return JsonResponse({"error": {"code": "sign_in", "message": "Sign in first."}}, status=401)
    return redirect_to_login(request.get_full_path())


def outside(name: str, rule: Rule, view: View) -> View:
    """Declare and guard a view of a library under its own name; it keeps its own checks beside ours."""
    operation = access.declare(name, "page", rule)

    @functools.wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if rule.audience is not Audience.PUBLIC and not request.user.is_authenticated:
            return _ask_to_sign_in(request)
        try:
            access.check(request.user, rule)
        except access.Denied as denied:
            raise PermissionDenied(str(denied)) from None
        return view(request, *args, **kwargs)

    guarded.operation = operation  # type: ignore[attr-defined]
    return guarded
