"""What a running turn's agent says to the portal by a tool: messages, files, how far it is, and its signal.

Each deed is one transaction of ``credentials.speaking``, is the agent's in
the history, and raises ``Refused`` with a sentence that the agent can act
upon; nothing is changed then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models import Exists, F, OuterRef, Q

from portal.core import clock, limits
from portal.core.clock import Wall
from portal.core.lifecycle import Refused
from portal.core.redaction import redact
from portal.core.storable import is_storable
from portal.core.unit import Pointer
from portal.core.unseen import is_unseen
from tickets import attachments, conversation, intake
from tickets.credentials import speaking
from tickets.models import Attachment, Delivery, Message, Purpose, Turn
from tickets.transitions import TURN
from workers.agents.adapters.events import Signal, SignalKind

# As much of a payload as a turn keeps.
PAYLOAD_CHARS: Final = 4000
# A question is asked by a tool of its own, which knows its form.
ENDINGS: Final = (SignalKind.DONE, SignalKind.BLOCKED, SignalKind.FAILED)


def checked(name: str, text: str, most: int, *, blank: bool = False) -> str:
    """``text`` as it may be stored. Raises ``Refused``."""
    if not blank and is_unseen(text):
        raise Refused(f"{name} is needed, and is blank.")
    if len(text) > most:
        raise Refused(f"{name} has at most {most:,} characters; yours has {len(text):,}.")
    if not is_storable(text):
        raise Refused(f"{name} holds a NUL or half a character (a lone surrogate), which no database keeps.")
    return text


# Beside the work ------------------------------------------------------------------


def post(turn: Turn, body: str, idempotency_key: str = "") -> tuple[Message, bool]:
    """``(message, made)``: the same key in the same turn is the same message, sent again."""
    body = checked("body", body, limits.value("MESSAGE_MAX_CHARS"))
    key = checked("idempotency_key", idempotency_key, 64, blank=True)
    with speaking(turn):
        said = Message.objects.filter(turn=turn)
        if key and (sent := said.filter(idempotency_key=key).first()):
            if sent.body != conversation.as_said(body):
                raise Refused(f"This key was used for other words: they are #{sent.number}. Choose another key.")
            return sent, False
        if said.count() >= (most := limits.value("TURN_POSTED_MESSAGES")):
            raise Refused(f"This turn has posted {most} messages, and posts no more. Say the rest as you finish.")
        message = conversation.said(turn, body, idempotency_key=key)
        if message is None:
            raise Refused("body is needed, and is blank.")
    return message, True


def attach(turn: Turn, name: str, content: bytes) -> tuple[Attachment, bool]:
    """``(attachment, made)``: the same bytes on the same ticket are the same attachment."""
    name = checked("name", name, attachments.NAME_CHARS)
    file = SimpleUploadedFile(attachments.clean_name(name), content, content_type="application/octet-stream")
    # The bytes first: a slow disk must hold nobody's lock.
    with attachments.stored([file]) as (one,), speaking(turn):
        return attachments.receive(turn.ticket, one, uploader=None, label=turn.agent_version.agent.name)


def report(turn: Turn, text: str) -> None:
    """Where the work stands, in place of what was reported before."""
    said = redact(" ".join(checked("text", text, limits.value("PROGRESS_MAX_CHARS")).split()))
    pause = limits.value("PROGRESS_PAUSE_SECONDS")
    with speaking(turn) as work:
        due = Q(progress_at=None) | Q(progress_at__lte=Wall(-pause))
        changes = {"progress": said[:300], "progress_at": Wall(), "version": F("version") + 1}
        if Turn.objects.filter(due, pk=turn.pk).update(**changes) != 1:
            raise Refused(f"Progress was reported less than {pause} seconds ago. Report when something has changed.")
        turn.refresh_from_db(fields=["version"])
        # No history: the next report replaces it.
        work.announce(turn.ticket.subject, Pointer(TURN.kind, TURN.subject(turn), turn.version))


# How it ends -----------------------------------------------------------------------


def finish(turn: Turn, kind: str, payload: str) -> bool:
    """The turn's signal. False where it was given before, in the same words."""
    if kind not in ENDINGS:
        raise Refused(f"signal is one of {', '.join(ENDINGS)}; to ask a person, use the tool ask.")
    text = checked("payload", payload, PAYLOAD_CHARS, blank=kind == SignalKind.DONE)
    return _signal(turn, SignalKind(kind), redact(text))


def ask(turn: Turn, payload: Mapping[str, object]) -> bool:
    """The signal NEEDS_INPUT. What a signal line would put beside the question is refused here, where it is typed."""
    if turn.purpose == Purpose.REVIEW:
        raise Refused("A review asks nobody. Finish with BLOCKED, and say what has to change.")
    asked = _as_asked(payload)
    deadline = {} if asked.deadline_minutes is None else {"deadline_minutes": asked.deadline_minutes}
    default = {} if asked.default is None else {"default": asked.default}
    options = [asdict(option) for option in asked.options]
    return _signal(turn, SignalKind.NEEDS_INPUT, {"question": asked.text, "options": options, **default, **deadline})


def _as_asked(payload: Mapping[str, object]) -> intake.Asked:
    most, long = limits.value("QUESTION_OPTIONS"), limits.value("OPTION_MAX_CHARS")
    checked("question", str(payload.get("question", "")), limits.value("QUESTION_MAX_CHARS"))
    options: Any = payload.get("options") or []
    if len(options) > most:
        raise Refused(f"A question has at most {most} options; yours has {len(options)}.")
    for place, option in enumerate(options, 1):
        for name, text in option.items() if isinstance(option, Mapping) else [("label", option)]:
            checked(f"The {name} of option {place}", str(text), long, blank=name == "detail")
    asked = intake.asked(payload, clock.now())
    if len(asked.options) < len(options):
        raise Refused("Two options have the same label. Give each its own.")
    if payload.get("default") is not None and asked.default is None:
        raise Refused("default names no option: it is an option's place, from 0, or its label.")
    if payload.get("deadline_minutes") is not None and asked.deadline_minutes is None:
        first, last = (limits.value(f"QUESTION_DEADLINE_{end}_MINUTES") for end in ("FIRST", "LAST"))
        raise Refused(f"deadline_minutes is from {first:,} to {last:,}.")
    return asked


def _signal(turn: Turn, kind: SignalKind, payload: str | dict[str, object]) -> bool:
    told_since = Delivery.objects.filter(turn=OuterRef("pk"), taken_at__gt=OuterRef("signal_at"))
    with speaking(turn) as work:
        changes = {"signal": kind.value, "signal_payload": payload, "signal_at": Wall(), "version": F("version") + 1}
        # Who was told more since goes on, and its last word counts.
        free = Turn.objects.filter(Q(signal="") | Exists(told_since), pk=turn.pk)
        if free.update(**changes) == 1:
            turn.refresh_from_db(fields=["signal", "signal_payload", "version"])
            work.record("turn.signalled", TURN.subject(turn), after={"signal": kind.value})
            TURN.announce(turn)
            return True
        turn.refresh_from_db(fields=["signal", "signal_payload"])
        if (turn.signal, turn.signal_payload) != (kind.value, payload):
            raise Refused(f"This turn has signalled {turn.signal} already, and a turn signals once. End your turn now.")
    return False


def told(turn: Turn) -> Signal | None:
    """The signal that its agent gave by a tool, as one that was read in its output."""
    if not turn.signal:
        return None
    return Signal(-1, SignalKind(turn.signal), turn.ticket.key, turn.nonce, turn.signal_payload or "")
