"""The job that tells an address of a verdict: signed, within a bound, tried again until it is answered."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any, Final

from deployments import posting
from deployments.models import Telling, TellingState, Webhook, WebhookState
from deployments.posting import Answer, NotSent
from deployments.transitions import TELLING
from deployments.webhooks import COMMIT
from portal.core import clock, secrets
from portal.core.clock import Wall
from portal.core.redaction import redact
from workers.claims import Claim
from workers.failures import BadInput, JobFailed
from workers.kinds import Ending

# Answers after which another try may end otherwise, beside those of a broken server.
PASSING: Final = frozenset({408, 409, 425, 429})


class _Refusing(JobFailed):
    """The receiver answered, and did not take it."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"It was answered with status {answer.status}.")


class _RefusedForGood(BadInput):
    def __init__(self, answer: Answer) -> None:
        super().__init__(f"It was answered with status {answer.status}, which another try does not change.")


def run(claim: Claim) -> Answer | None:
    """The handler of kind "verdict.deliver"."""
    telling = _waiting(claim.payload["telling"])
    if telling is None:
        return None
    webhook = telling.webhook
    if webhook.state != WebhookState.ON:
        raise BadInput("Its address was switched off before it was told.")
    body = telling.body.encode()
    url = webhook.url.replace(COMMIT, telling.commit)
    try:
        told = headers(telling, body, now=int(clock.now().timestamp()))
        answer = posting.post(url, body, told, private=webhook.private)
    except secrets.SecretUnreadable as unreadable:
        raise BadInput(str(unreadable)) from None
    except NotSent as problem:
        raise (BadInput if problem.final else JobFailed)(str(problem)) from None
    with claim.fenced():
        Telling.objects.filter(pk=telling.pk).update(status=answer.status, answer=redact(answer.text)[:2000])
    if 200 <= answer.status < 300:
        return answer
    raise (_Refusing if answer.status in PASSING or answer.status >= 500 else _RefusedForGood)(answer)


def headers(telling: Telling, body: bytes, *, now: int) -> dict[str, str]:
    """Who says it, and what lets it in. Raises ``SecretUnreadable``."""
    webhook = telling.webhook
    found = {
        "User-Agent": "Shiproom",
        "X-Shiproom-Event": telling.event,
        "X-Shiproom-Delivery": telling.delivery,
        "X-Shiproom-Timestamp": str(now),
    }
    if webhook.secret:
        found["X-Shiproom-Signature"] = f"sha256={signature(secrets.reveal(webhook.secret), now, body)}"
    if webhook.token:
        token = secrets.reveal(webhook.token).strip()
        named = (
            {"PRIVATE-TOKEN": token} if webhook.form == Webhook.Form.GITLAB else {"Authorization": f"Bearer {token}"}
        )
        found |= named
    if webhook.form == Webhook.Form.GITHUB:
        found["Accept"] = "application/vnd.github+json"
    return found


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """HMAC-SHA256 over the timestamp, a full stop and the body: an old body is not new again with another time."""
    return hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()


def settle(ending: Ending) -> None:
    telling = _waiting(ending.payload["telling"])
    if telling is None:
        return
    error = (ending.error.strip().splitlines() or [""])[-1][:500]
    told: dict[str, Any] = {"tries": telling.tries + 1, "tried_at": Wall()}
    if isinstance(ending.result, Answer):
        TELLING.move(telling, "deliver", error="", **told)
    elif ending.final and error:
        TELLING.move(telling, "fail", reason=error, error=error, **told)
    elif error:
        Telling.objects.filter(pk=telling.pk, state=TellingState.WAITING).update(error=error, **told)


def requeued(subject: str, payload: dict[str, Any]) -> None:
    telling = Telling.objects.select_related("webhook__project").filter(pk=payload["telling"]).first()
    if telling is not None and telling.state == TellingState.FAILED:
        TELLING.move(telling, "send_again", error="")


def _waiting(pk: int) -> Telling | None:
    rows = Telling.objects.select_related("webhook__project")
    return rows.filter(pk=pk, state=TellingState.WAITING).first()
