"""Filters of the list of findings under a name: kept, changed, forgotten."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from portal.core.access import OWN, SIGNED_IN, own_scope
from portal.core.doors import Found, page
from reviews import saved_filters
from reviews.finding_forms import ChangeFilterForm, SavedFilterForm
from reviews.findings_views import address, listed
from reviews.models import SavedFilter


def find_saved(saved: int) -> Found | None:
    found = SavedFilter.objects.filter(pk=saved).first() if saved < 2**63 else None
    return Found(found, own_scope(found.user_id)) if found else None


@page("findings.save_filter", SIGNED_IN, methods=("POST",))
def save(request: HttpRequest) -> HttpResponse:
    form = SavedFilterForm(request.POST)
    status, done = form.carry_out(
        lambda asked: saved_filters.keep(
            request.user,  # type: ignore[arg-type]
            title=asked["title"],
            data=request.GET,
            shared=asked["shared"],
        )
    )
    if done is None:
        return render(request, "findings/list.html", listed(request, saving=form), status=status)
    messages.success(request, f"Saved as {done.name}.")
    return redirect(address(done.query))


@page("findings.change_filter", OWN, find=find_saved, methods=("POST",))
def change(request: HttpRequest, found: SavedFilter, saved: int) -> HttpResponse:
    """Another name for it, offered to everybody or not any more; or its end."""
    if "delete" in request.POST:
        saved_filters.delete(found)
        messages.success(request, f"{found.name} is deleted.")
        return redirect(address(request.GET.urlencode()))
    form = ChangeFilterForm(found, request.POST)
    status, done = form.carry_out(
        lambda asked: saved_filters.change(found, title=asked["title"], shared=asked["shared"])
    )
    if done is None:
        return render(request, "findings/list.html", listed(request, saving=form), status=status)
    messages.success(request, f"It is {done.name} now{', and offered to everybody' if done.shared else ''}.")
    return redirect(address(request.GET.urlencode()))
