"""Whom a project tells its verdicts, what was told, and how it was answered; trying, sending again, switching off."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from deployments import webhooks
from deployments.models import Telling, Webhook, WebhookState
from portal.core import access
from portal.core.access import Role, within
from portal.core.doors import Found, page
from tickets.fields import HIGHEST_ID, Form, Versioned
from tickets.models import Project
from tickets.project_views import find_project

OWNER: Final = within(Role.OWNER)
SHOWN: Final = 50


class SwitchForm(Versioned):
    name = "switch"


def find_webhook(number: int) -> Found | None:
    rows = Webhook.objects.select_related("project").filter(pk=number)
    found = rows.first() if number <= HIGHEST_ID else None
    return Found(found, found.project.scope) if found else None


def find_telling(number: int) -> Found | None:
    rows = Telling.objects.select_related("webhook__project").filter(pk=number)
    found = rows.first() if number <= HIGHEST_ID else None
    return Found(found, found.webhook.project.scope) if found else None


@page("deployments.webhooks", OWNER, find=find_project)
def listed(request: HttpRequest, project: Project, key: str) -> HttpResponse:
    return _show(request, project)


@page("deployments.webhook_ping", OWNER, find=find_webhook, methods=("POST",))
def ping(request: HttpRequest, webhook: Webhook, number: int) -> HttpResponse:
    def act(asked: dict[str, Any]) -> str:
        webhooks.ping(webhook)
        return "It is being tried. How it is answered appears below."

    return _act(request, webhook.project, Form(request.POST), act)


@page("deployments.webhook_switch", OWNER, find=find_webhook, methods=("POST",))
def switch(request: HttpRequest, webhook: Webhook, number: int) -> HttpResponse:
    def act(asked: dict[str, Any]) -> str:
        on = webhook.state != WebhookState.ON
        webhooks.switch(webhook, on=on, expected_version=asked["expected_version"])
        return f"{webhook.url} is told of verdicts {'from now on' if on else 'no more'}."

    return _act(request, webhook.project, SwitchForm(request.POST), act)


@page("deployments.telling_again", OWNER, find=find_telling, methods=("POST",))
def again(request: HttpRequest, telling: Telling, number: int) -> HttpResponse:
    def act(asked: dict[str, Any]) -> str:
        webhooks.again(telling)
        return "It is sent again, under the same number."

    return _act(request, telling.webhook.project, Form(request.POST), act)


def _act(request: HttpRequest, project: Project, form: Form, act: Any) -> HttpResponse:
    status, said = form.carry_out(act)
    if status != 200:
        return _show(request, project, form, status)
    messages.success(request, str(said))
    return redirect(reverse("webhooks", args=[project.key]))


def _show(request: HttpRequest, project: Project, tried: Form | None = None, status: int = 200) -> HttpResponse:
    told = list(webhooks.tellings(project)[: SHOWN + 1])
    context = {
        "project": project,
        "webhooks": webhooks.of_project(project),
        "tellings": told[:SHOWN],
        "more": len(told) > SHOWN,
        "tried": tried,
        "administers": access.may(request.user, access.ADMIN),
    }
    return render(request, "deployments/webhooks.html", context, status=status)
