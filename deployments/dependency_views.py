"""The page on which owners say what a service needs beside it."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from deployments import dependencies, place_views
from deployments.dependency_fields import NeedWords
from deployments.models import Service
from portal.core.access import Role, within
from portal.core.doors import page
from portal.core.lifecycle import Stale
from tickets.fields import Versioned

OWNER: Final = within(Role.OWNER)


class NeedsForm(Versioned):
    name = "needs"
    needs = NeedWords(
        widget=forms.TextInput(attrs={"class": "in mono", "autocapitalize": "off", "spellcheck": "false"})
    )

    def __init__(self, service: Service, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.service = service

    def clean_needs(self) -> dict[str, int]:
        found: dict[str, int] = self.cleaned_data["needs"]
        try:
            dependencies.checked(self.service, found)
        except dependencies.BadNeed as problem:
            raise ValidationError(str(problem)) from None
        return found


@page("deployments.needs", OWNER, find=place_views.find_service, methods=("GET", "POST"))
def needs(request: HttpRequest, service: Service, number: int) -> HttpResponse:
    if request.method != "POST":
        return _page(request, service, NeedsForm(service, initial={"needs": dependencies.of(service)}), service.version)
    form = NeedsForm(service, request.POST)
    status, _ = form.carry_out(lambda asked: dependencies.change(service, **asked))
    if status == 200:
        messages.success(request, f"What {service} needs is saved. Each deployment that waits is asked by it.")
        return redirect(service)
    if status == Stale.status:
        service.refresh_from_db()
        now = dependencies.written(dependencies.of(service)) or "nothing"
        return _page(request, service, form, service.version, status, now=now)
    return _page(request, service, form, request.POST.get("expected_version", ""), status)


def _page(
    request: HttpRequest, service: Service, form: NeedsForm, seen: object, status: int = 200, **more: Any
) -> HttpResponse:
    context = {"service": service, "project": service.project, "form": form, "seen": seen}
    return render(request, "deployments/service_needs.html", context | more, status=status)
