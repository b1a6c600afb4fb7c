"""The page on which a document is uploaded, and the preview of what it would be read as."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from portal.core.access import SIGNED_IN, Role
from portal.core.doors import page
from reviews import documents, mappings
from reviews import preview as previews
from reviews.forms import DocumentForm, UploadForm
from reviews.importing.mapping import Mapping, mapping_of
from reviews.models import ReviewState, Series
from reviews.queries.reviews import series_names
from tickets.rights import projects_with, require


@page("reviews.new", SIGNED_IN, methods=("GET", "POST"))
def new(request: HttpRequest) -> HttpResponse:
    initial = {name: request.GET.get(name, "") for name in ("project", "series")}
    sent = (request.POST, request.FILES) if request.method == "POST" else ()
    form = UploadForm(request.user, *sent, initial=initial)
    if form.is_valid():
        asked = form.cleaned_data
        require(request.user, Role.OPERATOR, asked["project"])
        review, made = documents.receive(
            asked["project"],
            series_name=asked["series"],
            content=asked["content"],
            file_name=asked["file_name"],
            mapping=asked["columns"],
        )
        if made:
            messages.success(request, f"Received as {review}. It is being read.")
        elif review.state == ReviewState.RECEIVED:
            messages.success(request, f"This document is {review} already, and is being read.")
        else:
            messages.warning(request, f"Nothing new: this document is {review} already.")
        return redirect(review)
    return render(request, "reviews/new.html", _form(request, form), status=422 if form.errors else 200)


def _form(request: HttpRequest, form: UploadForm) -> dict[str, Any]:
    projects = projects_with(request.user, Role.OPERATOR)
    chosen = str(form["project"].value() or "")
    return {"form": form, "projects": projects.exists(), "known": series_names(projects, chosen)}


@page("reviews.series", SIGNED_IN)
def series(request: HttpRequest) -> HttpResponse:
    """The names of the series of one project, or of all, in which the person may upload."""
    projects = projects_with(request.user, Role.OPERATOR)
    return render(request, "reviews/series.html", {"known": series_names(projects, request.GET.get("project", ""))})


@page("reviews.preview", SIGNED_IN, methods=("POST",))
def preview(request: HttpRequest) -> HttpResponse:
    """What the document would be read as; nothing is stored.

    Asked for by a script it is the panel alone; by a form it is the page again, with all that was typed.
    """
    if not projects_with(request.user, Role.OPERATOR).exists():
        return render(request, "reviews/new.html", {"projects": False})
    document = DocumentForm(request.POST, request.FILES)
    context: dict[str, Any] = {"document": document, "asked": True}
    if document.is_valid():
        asked = document.cleaned_data
        mapping = _mapping(request, asked["columns"])
        context["preview"] = previews.of(asked["content"], name=asked["file_name"], mapping=mapping)
    if getattr(request, "htmx", False):
        return render(request, "reviews/preview.html", context)
    # Nothing of the upload itself is judged here: what is typed comes back as it was.
    typed = {name: request.POST.get(name, "") for name in ("project", "series", "text", "columns")}
    context |= _form(request, UploadForm(request.user, initial=typed)) | {"file_lost": bool(request.FILES)}
    return render(request, "reviews/new.html", context, status=422 if document.errors else 200)


def _mapping(request: HttpRequest, typed: dict[str, Any] | None) -> Mapping | None:
    """What was typed; else what the chosen series keeps, where there is one."""
    if typed is not None:
        return mapping_of(typed) if typed else None
    mine = projects_with(request.user, Role.OPERATOR)
    named = {"project__key": request.POST.get("project", ""), "name": request.POST.get("series", "").strip()}
    found = None if "\x00" in "".join(named.values()) else Series.objects.filter(project__in=mine, **named).first()
    return mappings.of(found) if found else None
