"""Addresses that a project tells its verdicts: made by an admin, tried by an owner; what they are told, as rows.

A secret of the store would go to whoever runs the address, so who names both
is an admin. What is told is written down in the transaction of what it tells
of, and sent by a job: at least once, always under the same number.
"""

from __future__ import annotations

import json
import secrets as random
from collections.abc import Iterable
from typing import Any, Final

from django.db.models import QuerySet

from deployments import judging, posting
from deployments.judging import Standing
from deployments.models import Telling, TellingState, Verdict, Webhook, WebhookState
from deployments.transitions import TELLING, WEBHOOK
from portal.core import cause, clock
from portal.core.lifecycle import Refused
from portal.core.models import Secret
from portal.core.unit import current, unit_of_work
from tickets.models import Project
from workers import queue
from workers.claims import Claim

DELIVER_KIND: Final = "verdict.deliver"
LOOK_KIND: Final = "verdict.look"
MOST: Final = 10
TRIES: Final = 8
REASONS_TOLD: Final = 20
# Newest commits of a project that are looked at for a verdict that is stale.
LOOKED_AT: Final = 20
COMMIT: Final = "{commit}"
Event, Form = Telling.Event, Webhook.Form


class BadWebhook(ValueError):
    """What cannot be such an address; ``field`` is where it was typed."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


# Made by an admin ------------------------------------------------------------------


def add(project: Project, *, form: str, url: str, secret: str = "", token: str = "", private: bool = False) -> Webhook:
    """Raises ``BadWebhook``, or ``Refused`` where the project has as many as it may."""
    check(form, url, secret, token)
    with unit_of_work() as work:
        Project.objects.select_for_update().get(pk=project.pk)
        if Webhook.objects.filter(project=project, state=WebhookState.ON).count() >= MOST:
            raise Refused(f"{project.key} tells {MOST} addresses already: switch one off first.")
        made = Webhook.objects.create(
            project=project,
            form=form,
            url=url,
            secret=secret,
            token=token,
            private=private,
            state=WebhookState.ON,
            by=cause.current().actor.label[:254],
        )
        after = {"url": url, "form": form, "secret": secret, "token": token, "private": private}
        work.record("webhook.made", made.subject, after=after, scope=project.scope)
        WEBHOOK.announce(made)
    return made


def check(form: str, url: str, secret: str, token: str) -> None:
    """Raises ``BadWebhook`` for what cannot be such an address."""
    if said := posting.problem(url.replace(COMMIT, "0" * 40)):
        raise BadWebhook("url", said)
    if form == Form.GENERIC:
        if not secret:
            raise BadWebhook(
                "secret", "Name the secret that signs what is told: without it anybody could have said it."
            )
        if COMMIT in url:
            raise BadWebhook("url", f"{COMMIT} stands in the address of a status alone.")
    else:
        if not token:
            raise BadWebhook("token", "Name the secret by which the forge lets the status in.")
        if url.count(COMMIT) != 1:
            raise BadWebhook("url", f"The address of a status has {COMMIT} once, where the commit’s name stands.")
    for field, name in (("secret", secret), ("token", token)):
        if name and not Secret.objects.filter(name=name).exists():
            raise BadWebhook(field, f"There is no secret named {name}. An admin can store it under Secrets.")


def switch(webhook: Webhook, *, on: bool, expected_version: int | None = None) -> Webhook:
    """Raises ``Refused``. What waits to be told is told where it is on when its turn comes."""
    return WEBHOOK.move(webhook, "switch_on" if on else "switch_off", expected_version=expected_version)


# What is told ------------------------------------------------------------------------


def tell(verdict: Verdict) -> None:
    """A verdict was given: each address of its project is told. In the unit of work that stores it."""
    _tell_all(Standing(verdict, stale=False), Event.VERDICT)


def ping(webhook: Webhook) -> Telling:
    """Send something that says nothing, to see whether it arrives. Raises ``Refused``."""
    if webhook.form != Form.GENERIC:
        raise Refused("A forge has no status that says nothing: judge a commit to see whether its status arrives.")
    if webhook.state != WebhookState.ON:
        raise Refused("It is switched off, so nothing is told it.")
    with unit_of_work():
        body = {"event": Event.PING.value, "project": webhook.project.key}
        return _keep(webhook, Event.PING, None, body)


def again(telling: Telling) -> Telling:
    """Send the same once more, under the same number. Raises ``Refused``."""
    if telling.webhook.state != WebhookState.ON:
        raise Refused("Its address is switched off, so nothing is told it.")
    with unit_of_work():
        TELLING.move(telling, "send_again", error="")
        _enqueue(telling)
    return telling


def look(claim: Claim) -> int:
    """The handler of kind "verdict.look": what has become stale since is told, once a verdict. Returns how many."""
    told = 0
    hooked = Webhook.objects.filter(state=WebhookState.ON).values("project")
    for project in Project.objects.filter(pk__in=hooked).order_by("pk"):
        claim.check()
        stale = [found for found in _newest(project) if found.stale]
        if not stale:
            continue
        with claim.fenced():
            told += sum(_tell_all(found, Event.STALE) for found in stale)
    return told


def _newest(project: Project) -> Iterable[Standing]:
    """The newest verdict of each commit of which somebody was told that it stands, and not yet that it is stale."""
    rows = Telling.objects.filter(webhook__project=project, webhook__state=WebhookState.ON, event=Event.VERDICT)
    told = rows.exclude(verdict=None).order_by("-pk").values_list("verdict_id", "commit")
    known: dict[str, int] = {}
    for verdict, commit in told[: 4 * LOOKED_AT]:
        known.setdefault(commit, verdict)
    over = Telling.objects.filter(webhook__project=project, event=Event.STALE, verdict__in=known.values())
    gone = set(over.values_list("verdict_id", flat=True))
    waiting = [pk for pk in list(known.values())[:LOOKED_AT] if pk not in gone]
    return [judging.standing(one) for one in Verdict.objects.filter(pk__in=waiting).select_related("project")]


def _tell_all(found: Standing, event: Telling.Event) -> int:
    verdict = found.verdict
    if not verdict.commit:
        return 0
    hooks = Webhook.objects.filter(project=verdict.project_id, state=WebhookState.ON).select_related("project")
    told = 0
    for webhook in hooks.order_by("pk"):
        if Telling.objects.filter(webhook=webhook, verdict=verdict, event=event).exists():
            continue
        _keep(webhook, event, verdict, body_of(webhook.form, found, event))
        told += 1
    return told


def body_of(form: str, found: Standing, event: Telling.Event) -> dict[str, Any]:
    if form == Form.GITHUB:
        return judging.github_status(found)
    if form == Form.GITLAB:
        return judging.gitlab_status(found)
    verdict = found.verdict
    return {
        "event": event.value,
        "project": verdict.project.key,
        "commit": verdict.commit,
        "answer": verdict.answer or (Verdict.Answer.SHIP if verdict.go else Verdict.Answer.DO_NOT_SHIP).value,
        "go": verdict.go and not found.stale,
        "stale": found.stale,
        "policy": verdict.policy,
        "digest": verdict.digest,
        "reasons": [{"text": one["text"], "lift": one["lift"]} for one in verdict.reasons[:REASONS_TOLD]],
        "blocking": len(verdict.blocking),
        "page": judging.page_of(verdict),
    }


def _keep(webhook: Webhook, event: Telling.Event, verdict: Verdict | None, body: dict[str, Any]) -> Telling:
    delivery = random.token_hex(16)
    if webhook.form == Form.GENERIC:
        body = {"delivery": delivery, "at": clock.now().isoformat(), **body}
    made = Telling.objects.create(
        webhook=webhook,
        delivery=delivery,
        event=event,
        verdict=verdict,
        commit=verdict.commit if verdict else "",
        body=json.dumps(body, ensure_ascii=False),
        state=TellingState.WAITING,
    )
    current().record("telling.made", made.subject, after={"event": event.value}, scope=webhook.project.scope)
    _enqueue(made)
    return made


def _enqueue(telling: Telling) -> None:
    project = telling.webhook.project
    queue.enqueue(
        DELIVER_KIND,
        subject=project.scope,
        payload={"telling": telling.pk},
        unique_key=telling.subject,
        # One after the other to each, so that a slow one keeps nobody else.
        lane=f"webhook:{telling.webhook_id}",
        audience=project.scope,
        max_failures=TRIES,
    )


# Shown --------------------------------------------------------------------------------


def of_project(project: Project) -> list[Webhook]:
    return list(Webhook.objects.filter(project=project).select_related("project").order_by("state", "-pk")[:50])


def tellings(project: Project) -> QuerySet[Telling]:
    rows = Telling.objects.filter(webhook__project=project).select_related("webhook__project")
    return rows.order_by("-pk")
