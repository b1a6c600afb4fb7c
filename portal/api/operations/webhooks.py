"""Whom a project tells its verdicts, what was told, and sending it again."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Query, Schema

from deployments import webhooks
from deployments.models import Telling, Webhook
from deployments.webhook_views import find_telling, find_webhook
from portal.api.doors import operation
from portal.api.shapes import Paged, moment, page, project_by_key
from portal.core.access import Role, within


class WebhookOut(Schema):
    id: int
    version: int
    # on or off
    state: str
    # generic, github or gitlab
    form: str
    url: str
    # names of secrets
    secret: str
    token: str
    private: bool
    by: str
    at: str


class Webhooks(Schema):
    items: list[WebhookOut]


class TellingOut(Schema):
    id: int
    webhook: int
    # the same however often it is sent
    delivery: str
    # verdict, verdict.stale or ping
    event: str
    commit: str
    # waiting, delivered or failed
    state: str
    tries: int
    # of the newest try: its status, the beginning of its answer, or why there was none
    status: int | None
    answer: str
    error: str
    at: str
    tried_at: str | None


class Tellings(Schema):
    items: list[TellingOut]
    # pass as ``before`` for the next page; absent on the last
    next: str | None = None


def shown(hook: Webhook) -> dict[str, Any]:
    names = ("version", "state", "form", "url", "secret", "token", "private", "by")
    return {"id": hook.pk, "at": moment(hook.at), **{name: getattr(hook, name) for name in names}}


def told(row: Telling) -> dict[str, Any]:
    names = ("delivery", "event", "commit", "state", "tries", "status", "answer", "error")
    return {
        "id": row.pk,
        "webhook": row.webhook_id,
        "at": moment(row.at),
        "tried_at": moment(row.tried_at),
        **{name: getattr(row, name) for name in names},
    }


@operation(
    "get", "/projects/{key}/webhooks", "api.webhooks", within(Role.OWNER), find=project_by_key, response=Webhooks
)
def listed(request: HttpRequest, key: str) -> dict[str, Any]:
    """The addresses that a project tells its verdicts; an admin makes them."""
    return {"items": [shown(hook) for hook in webhooks.of_project(request.found)]}  # type: ignore[attr-defined]


@operation(
    "get",
    "/projects/{key}/tellings",
    "api.tellings",
    within(Role.OWNER),
    find=project_by_key,
    query=Paged,
    response=Tellings,
)
def tellings(request: HttpRequest, key: str, listing: Query[Paged]) -> dict[str, Any]:
    """What they were told, newest first, and how it was answered."""
    return page(webhooks.tellings(request.found), listing, told)  # type: ignore[attr-defined]


@operation(
    "post",
    "/webhooks/{int:number}/ping",
    "api.webhook.ping",
    within(Role.OWNER),
    find=find_webhook,
    response=TellingOut,
)
def ping(request: HttpRequest, number: int) -> dict[str, Any]:
    """Send something that says nothing, to see whether it arrives."""
    return told(webhooks.ping(request.found))  # type: ignore[attr-defined]


@operation(
    "post",
    "/tellings/{int:number}/again",
    "api.telling.again",
    within(Role.OWNER),
    find=find_telling,
    response=TellingOut,
)
def again(request: HttpRequest, number: int) -> dict[str, Any]:
    """Send the same once more, under the same number."""
    return told(webhooks.again(request.found))  # type: ignore[attr-defined]
