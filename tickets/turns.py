"""A turn: one attempt of one agent at one ticket, from the claim to its end.

``run`` is what the worker does; ``settle`` moves turn and ticket in the
transaction that ends the attempt, whoever ends it.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin

from django.conf import settings
from django.db.models import Max, Q

from portal.core.cause import Actor, acting
from portal.core.clock import Wall
from portal.core.failpoints import Failpoint, reach
from portal.core.lifecycle import Refused
from portal.core.redaction import knowing, redact
from portal.core.storable import storable
from tickets import (
    boxes,
    conversation,
    credentials,
    followers,
    git,
    measuring,
    prompts,
    questions,
    quotas,
    readers,
    sessions,
    speaking,
    steering,
    telling,
    workspaces,
)
from tickets.models import Purpose, Ticket, TicketState, Turn, TurnState, Workspace
from tickets.readers import Answer, Handed, Reading
from tickets.sessions import Session
from tickets.steering import TurnDesk
from tickets.transitions import TICKET, TURN
from tickets.turn_jobs import refuse_taken
from workers import children, room
from workers.agents import breakers, running
from workers.agents.adapters.events import SignalKind
from workers.agents.adapters.verdict import State, Verdict
from workers.agents.containment import Mounts
from workers.agents.dialogue import Dialogue
from workers.agents.running import Ran
from workers.children import Command
from workers.claims import Claim
from workers.failures import BadInput, JobFailed, RateLimited, TimedOut
from workers.kinds import Ending
from workers.models import AgentVersion, Outcome

PARKED: Final = "Nobody answered in time what it asked; its next turn is told the answer."


@dataclass(frozen=True)
class TurnResult:
    """What a turn that ended by its own word said, and whether what it claims was seen to hold."""

    signal: SignalKind
    payload: str | Mapping[str, object]
    proven: bool = False
    # its question is there already: it was asked while it ran, and nobody answered in time
    asked: bool = False
    # of a turn that only reads: the file that it left
    left: Handed | None = None


# What the signal makes of turn and ticket. DONE is a claim: what was not measured leaves the ticket unproven.
_WORK_VERBS: Final = {
    SignalKind.DONE: ("finish", "submit"),
    SignalKind.NEEDS_INPUT: ("ask", "ask"),
    SignalKind.BLOCKED: ("block", "block"),
    SignalKind.FAILED: ("fail", "fail"),
}
# A review approves, or does not; the work waits to be accepted as before.
_REVIEW_VERBS: Final = {
    SignalKind.DONE: ("finish", "end_review"),
    SignalKind.NEEDS_INPUT: ("block", "end_review"),
    SignalKind.BLOCKED: ("block", "end_review"),
    SignalKind.FAILED: ("fail", "end_review"),
}


def run(claim: Claim) -> TurnResult:
    """The handler of kind "turn". Raises what ``children.run`` raises, ``Parked``, ``BadInput``, ``TimedOut`` or
    ``JobFailed``."""
    ticket = Ticket.objects.select_related("project").filter(pk=claim.payload["ticket"]).first()
    version = AgentVersion.objects.select_related("agent").filter(pk=claim.payload["agent_version"]).first()
    if ticket is None or version is None:
        raise BadInput("The ticket or the agent's profile of this turn is not there any more.")
    if spent := sessions.over_budget(ticket, version) or quotas.over(ticket):
        raise BadInput(spent)
    room.check()
    sessions.within_day(version)
    breakers.admit(claim, version)
    # A child of an earlier attempt may still write into the worktree.
    children.recover(claim)
    workspace = workspaces.prepare(claim, ticket)
    purpose = _purpose(claim.payload)
    if reading := readers.of(ticket, purpose):
        # Before there is a box: its repository begins where the worktree stands.
        boxes.bring_out(ticket, workspace)
        workspaces.restore(Path(workspace.path), reading.commit)
    mounts = boxes.ready(ticket, workspace, version)
    session = sessions.to_resume(ticket, version, purpose)
    token = credentials.mint()
    turn = _begin(claim, ticket, version, workspace, purpose, session, credentials.digest(token))
    reach(Failpoint.AFTER_TURN_BEGIN)
    command = _command(ticket, turn, version, workspace, session, token, mounts)
    talk = Dialogue(TurnDesk(claim, turn)) if command.open_stdin else None
    with knowing(token):
        program = running.program(claim, version, command, home=_home(ticket, version), mounts=mounts)
        with boxes.emptied(turn, workspace):
            result = children.run(claim, command, partner=talk)
    with claim.fenced():
        credentials.close(turn)
    ran = running.judge(
        version,
        result,
        nonce=turn.nonce,
        ticket=ticket.key,
        before=session.usage,
        session=session.name,
        name=sessions.fresh(turn),
        told=speaking.told(turn),
    )
    parked = talk is not None and talk.parked
    if parked:
        # We ended it, and its own result says so; the question that it asked is its word.
        ran = replace(ran, verdict=Verdict(True, State.SIGNALLED, PARKED))
    overspent = sessions.over_turn(version, ran.spent) or quotas.over(ticket)
    # Booking clears away what a reviewer left.
    left = readers.left_in(Path(workspace.path), turn) if reading else None
    _book(claim, turn, workspace, ran, program=program, overspent=overspent)
    reach(Failpoint.AFTER_TURN_BOOKED)
    result.forget()
    if parked:
        return TurnResult(SignalKind.NEEDS_INPUT, "", asked=True)
    if overspent:
        # Tried again, it would cost or take as much again: a person decides, over what there is.
        return TurnResult(SignalKind.BLOCKED, overspent)
    return replace(_result(claim, turn, workspace, ran), left=left)


def _result(claim: Claim, turn: Turn, workspace: Workspace, ran: Ran) -> TurnResult:
    if ran.verdict.limited:
        raise RateLimited(ran.verdict.text)
    if ran.verdict.state is State.TIMED_OUT:
        raise TimedOut(ran.verdict.text)
    if not ran.verdict.ok or ran.verdict.signal is None:
        raise JobFailed(ran.verdict.text)
    signal = ran.verdict.signal
    proven = False
    if signal.kind is SignalKind.DONE and turn.purpose == Purpose.WORK:
        proven = measuring.measure(claim, turn, workspace, turn.ticket.project)
    return TurnResult(signal.kind, signal.payload, proven)


def _purpose(payload: Mapping[str, Any]) -> Purpose:
    return Purpose(payload.get("purpose", Purpose.WORK))


def _begin(
    claim: Claim,
    ticket: Ticket,
    version: AgentVersion,
    workspace: Workspace,
    purpose: Purpose,
    session: Session,
    credential: str,
) -> Turn:
    base = git.head(Path(workspace.path))
    with (
        claim.fenced(),
        acting(Actor("agent", str(version.agent_id), version.agent.name), because=f"job:{claim.job_id}"),
    ):
        # A ticket that was taken over since the claim is its person's.
        TICKET.move(ticket, "begin", where=Q(taken_at__isnull=True))
        last = Turn.objects.filter(ticket=ticket).aggregate(last=Max("seq"))["last"] or 0
        turn = Turn.objects.create(
            ticket=ticket,
            seq=last + 1,
            attempt_id=claim.attempt_id,
            agent_version=version,
            purpose=purpose,
            nonce=f"MC_TICKET_TURN:{ticket.pk}:{last + 1}:{secrets.token_hex(16)}",
            credential=credential,
            resumed=bool(session.name),
            base_commit=base,
            state=TurnState.RUNNING,
        )
        if purpose is Purpose.WORK:
            conversation.take(ticket, turn)
    return turn


def _home(ticket: Ticket, version: AgentVersion) -> Path:
    """Beside the worktree, not in it: an agent's own files are no part of the work."""
    home: Path = settings.DATA_DIR / "homes" / ticket.key / version.agent.name
    return home


def _command(
    ticket: Ticket,
    turn: Turn,
    version: AgentVersion,
    workspace: Workspace,
    session: Session,
    token: str,
    mounts: Mounts | None,
) -> Command:
    found = running.command(
        version,
        cwd=Path(workspace.path),
        home=_home(ticket, version),
        prompt=prompts.of(turn, version),
        nonce=turn.nonce,
        ticket=ticket.key,
        session=session.name,
        name=sessions.fresh(turn),
        mounts=mounts,
    )
    tools = {"SHIPROOM_MCP_URL": urljoin(settings.BASE_URL, "/mcp"), "SHIPROOM_MCP_TOKEN": token}
    return replace(found, env={**found.env, **tools})


def _book(claim: Claim, turn: Turn, workspace: Workspace, ran: Ran, *, program: str, overspent: str) -> None:
    """Store what the turn said, cost and left; the breaker hears how the agent is, in the same transaction."""
    folder, version = Path(workspace.path), turn.agent_version
    head = git.head(folder)
    if turn.purpose == Purpose.REVIEW:
        # A reviewer changes nothing: what it did to the branch is undone, and the approval is of what it was given.
        workspaces.restore(folder, turn.base_commit)
        head = turn.base_commit
    payload = ran.verdict.signal.payload if ran.verdict.signal else ""
    spent = ran.spent
    with claim.fenced():
        if ran.verdict.ok:
            breakers.good(version)
        elif running.is_sick(ran.verdict):
            breakers.bad(version, ran.verdict.text)
        Turn.objects.filter(pk=turn.pk).update(
            verdict=(overspent or ran.verdict.text)[:300],
            program=program,
            exit_code=ran.exit_code,
            head_commit=head,
            payload=redact(_words_of(payload))[: speaking.PAYLOAD_CHARS],
            session_id=ran.session_id[:200],
            session_usage=sessions.figures(ran.session),
            input_tokens=spent.input if spent else None,
            output_tokens=spent.output if spent else None,
            cached_tokens=spent.cached if spent else None,
            cost_usd=round(spent.cost, 6) if spent and spent.cost else None,
        )
    turn.refresh_from_db()


def _words_of(payload: str | Mapping[str, object]) -> str:
    """A payload as people read it: its text, or what an object says under the names that texts go by."""
    if isinstance(payload, str):
        return storable(payload)
    for name in ("text", "summary", "question", "reason", "message"):
        if isinstance(said := payload.get(name), str) and said.strip():
            return storable(said)
    return storable("; ".join(f"{name}: {value}" for name, value in payload.items()))


def settle(ending: Ending) -> None:
    """Move turn and ticket with their attempt. A ticket that moved on meanwhile is left as it is."""
    ticket = Ticket.objects.select_related("project").filter(pk=ending.payload["ticket"]).first()
    if ticket is None:
        return
    reading = readers.of(ticket, _purpose(ending.payload))
    turn_verb, ticket_verb = _settled(ending, reading)
    turn = _live_turn(ending)
    if turn is not None:
        said = turn.verdict or _last_line(ending.error)
        TURN.move(turn, turn_verb, reason=ending.error[:300], ended_at=Wall(), verdict=said[:300])
    if ticket.state in TICKET.transitions[ticket_verb].sources:
        TICKET.move(ticket, ticket_verb, reason=ending.error[:500])
        telling.moved(ticket, ticket_verb)
    if turn is not None:
        _answer(ending, turn)
    if ticket_verb == "end_reading":
        _hand_in(ending, ticket, turn)


def _hand_in(ending: Ending, ticket: Ticket, turn: Turn | None) -> None:
    """What the turn read for is told to who asked: its document, or why there is none."""
    result = ending.result
    if not isinstance(result, TurnResult) or turn is None:
        handed = Handed(problem=(_last_line(ending.error) or "Its turn ended without a word.")[:300])
        readers.answered.tell(Answer(ticket, turn, handed))
    elif result.signal is not SignalKind.DONE:
        said = redact(f"It ended with {result.signal}: {_words_of(result.payload)}")
        readers.answered.tell(Answer(ticket, turn, Handed(problem=said[:300])))
    else:
        handed = readers.handed_in(turn, result.left, result.payload)
        readers.answered.tell(Answer(ticket, turn, handed, result.payload))


def _live_turn(ending: Ending) -> Turn | None:
    if ending.attempt_id is None:
        return None
    live = Turn.objects.select_related("ticket__project", "agent_version__agent", "measurement")
    live = live.defer("measurement__diff")
    return live.filter(attempt_id=ending.attempt_id, state=TurnState.RUNNING).first()


def _last_line(error: str) -> str:
    return (error.strip().splitlines() or [""])[-1]


def _answer(ending: Ending, turn: Turn) -> None:
    """What becomes of the messages that the turn took, and of what it says itself."""
    result = ending.result
    steering.close(turn, told=isinstance(result, TurnResult))
    if not isinstance(result, TurnResult):
        conversation.give_back(turn)
        return
    conversation.acknowledge(turn)
    with acting(Actor("agent", str(turn.agent_version.agent_id), turn.agent_version.agent.name)):
        conversation.said(turn, turn.payload)
        if result.asked:
            questions.go_on(turn)
        elif result.signal is SignalKind.NEEDS_INPUT and turn.purpose == Purpose.WORK:
            questions.ask(turn, result.payload)
        if result.signal is SignalKind.DONE:
            followers.worked.tell(turn)


def _settled(ending: Ending, reading: Reading | None) -> tuple[str, str]:
    """The verbs of turn and ticket. Who only reads has done so, however it ended; one that is tried again waits."""
    turn_verb, ticket_verb = _verbs(ending)
    return turn_verb, "end_reading" if reading is not None and ticket_verb != "wait_again" else ticket_verb


def _verbs(ending: Ending) -> tuple[str, str]:
    review = _purpose(ending.payload) is Purpose.REVIEW
    if isinstance(ending.result, TurnResult):
        verbs = _REVIEW_VERBS if review else _WORK_VERBS
        turn_verb, ticket_verb = verbs[ending.result.signal]
        if ticket_verb == "submit" and not ending.result.proven:
            ticket_verb = "leave_unproven"
        return turn_verb, ticket_verb
    if ending.outcome is Outcome.CANCELLED:
        return "stop", "end_review" if review else "stop"
    if not ending.final:
        return "fail", "wait_again"
    return "fail", "end_review" if review else "fail"


def requeued(subject: str, payload: dict[str, Any]) -> None:
    """A person gave the dead turn's job another life: its ticket waits again."""
    ticket = Ticket.objects.filter(pk=payload["ticket"]).first()
    if ticket is not None and _purpose(payload) is Purpose.REVIEW and ticket.state == TicketState.DONE:
        raise Refused(f"{ticket.key} was only there to be read for, and that is over. Ask again where it was asked.")
    if ticket is not None and ticket.state in {TicketState.FAILED, TicketState.OPEN}:
        refuse_taken(ticket)
        TICKET.move(ticket, "wait_again", reason="Its job was requeued.")
