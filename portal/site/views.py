"""The first page, the theme, and what is said to people who are not let in."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.templatetags.static import static
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from portal.core.access import PUBLIC, SIGNED_IN
from portal.core.doors import page
from portal.core.models import User
from portal.live import streams
from portal.site import chronicle, figures, queries


@page("site.needs_me", SIGNED_IN)
def needs_me(request: HttpRequest) -> HttpResponse:
    # the cursors first: what happens between them and the rows is shown twice rather than missed
    names = queries.streams_of(request.user)
    found = streams.cursors(*names)
    follows = {"names": " ".join(names), "cursors": " ".join(found[name] for name in names)}
    return render(request, "portal/needs_me.html", {"follows": follows} | _needs(request))


@page("site.needs_me_fragment", SIGNED_IN)
def needs_me_fragment(request: HttpRequest) -> HttpResponse:
    return render(request, "portal/needs_me/body.html", _needs(request))


def _needs(request: HttpRequest) -> dict[str, Any]:
    panels = queries.needs_of(request.user)
    needs = [need for panel in panels for need in panel.needs]
    return {
        "panels": panels,
        "projects": queries.has_projects(request.user),
        "oldest": min((need.since for need in needs if need.since), default=None),
        "stats": figures.stats_of(request.user),
        "running": queries.running_of(request.user),
        "recent": chronicle.recent(request.user),
    }


@page("site.favicon", PUBLIC)
def favicon(request: HttpRequest) -> HttpResponse:
    """For pages that are not ours: the admin, JSON in a tab."""
    return redirect(static("portal/favicon.svg"))


@page("site.theme", SIGNED_IN, methods=("POST",))
def theme(request: HttpRequest) -> HttpResponse:
    chosen = request.POST.get("theme", "")
    if chosen in User.Theme.values:
        User.objects.filter(email=request.user.get_username()).update(theme=chosen)
    return _back(request)


def _back(request: HttpRequest) -> HttpResponseRedirect:
    url = request.POST.get("next", "")
    own = url_has_allowed_host_and_scheme(url, {request.get_host()}, require_https=request.is_secure())
    return HttpResponseRedirect(url if own else reverse("needs_me"))


@page("accounts.account_signup", PUBLIC, methods=("GET", "POST"))
def no_signup(request: HttpRequest) -> HttpResponse:
    return render(request, "account/signup_closed.html", status=404)


@page("accounts.account_email", SIGNED_IN, methods=("GET", "POST"))
def no_email_change(request: HttpRequest) -> HttpResponse:
    """An admin changes addresses; allauth's own pages lead here."""
    return redirect("account_change_password")


def locked_out(request: HttpRequest, response: HttpResponse | None, credentials: dict[str, Any]) -> HttpResponse:
    """Asked by axes once an account is locked for an address."""
    minutes = settings.LIMITS["LOGIN_LOCK_MINUTES"]
    context = {"minutes": minutes, "failures": settings.LIMITS["LOGIN_FAILURES"]}
    answer = render(request, "429.html", context, status=429)
    answer["Retry-After"] = str(minutes * 60)
    return answer
