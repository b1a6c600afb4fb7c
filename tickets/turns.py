"""A turn: one attempt of one agent at one ticket, from the claim to its end.

``run`` is what the worker does; ``settle`` moves turn and ticket in the
transaction that ends the attempt, whoever ends it.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from django.db.models import Max

from portal.core import limits
from portal.core import secrets as secret_store
from portal.core.cause import Actor, acting
from portal.core.clock import Wall
from tickets import conversation, git, prompts, workspaces
from tickets.models import Ticket, TicketState, Turn, TurnState, Workspace
from tickets.transitions import TICKET, TURN
from workers import children
from workers.agents.adapters import adapter_named, read_all
from workers.agents.adapters.events import SignalKind
from workers.agents.adapters.verdict import State, Verdict, verdict
from workers.children import ChildResult, Command
from workers.claims import Claim
from workers.failures import BadInput, JobFailed, TimedOut
from workers.kinds import Ending
from workers.models import AgentVersion, Outcome


@dataclass(frozen=True)
class TurnResult:
    """What a turn that ended by its own word said, and what the portal saw."""

    signal: SignalKind
    moved: bool


# What the signal makes of turn and ticket; DONE without a new commit is unproven.
_VERBS = {
    SignalKind.DONE: ("finish", "submit"),
    SignalKind.NEEDS_INPUT: ("ask", "ask"),
    SignalKind.BLOCKED: ("block", "block"),
    SignalKind.FAILED: ("fail", "fail"),
}


def run(claim: Claim) -> TurnResult:
    """The handler of kind "turn". Raises what ``children.run`` raises, ``BadInput``, ``TimedOut`` or ``JobFailed``."""
    ticket = Ticket.objects.select_related("project").filter(pk=claim.payload["ticket"]).first()
    version = AgentVersion.objects.select_related("agent").filter(pk=claim.payload["agent_version"]).first()
    if ticket is None or version is None:
        raise BadInput("The ticket or the agent's profile of this turn is not there any more.")
    workspace = workspaces.prepare(claim, ticket)
    turn = _begin(claim, ticket, version, workspace)
    result = children.run(claim, _command(ticket, turn, version, workspace))
    found = _judge(result, turn, ticket, version)
    _measure(claim, turn, workspace, result, found)
    result.forget()
    if found.state is State.TIMED_OUT:
        raise TimedOut(found.text)
    if not found.ok or found.signal is None:
        raise JobFailed(found.text)
    return TurnResult(found.signal.kind, turn.head_commit != turn.base_commit)


def _begin(claim: Claim, ticket: Ticket, version: AgentVersion, workspace: Workspace) -> Turn:
    base = git.head(Path(workspace.path))
    with (
        claim.fenced(),
        acting(Actor("agent", str(version.agent_id), version.agent.name), because=f"job:{claim.job_id}"),
    ):
        TICKET.move(ticket, "begin")
        last = Turn.objects.filter(ticket=ticket).aggregate(last=Max("seq"))["last"] or 0
        turn = Turn.objects.create(
            ticket=ticket,
            seq=last + 1,
            attempt_id=claim.attempt_id,
            agent_version=version,
            nonce=f"MC_TICKET_TURN:{ticket.pk}:{last + 1}:{secrets.token_hex(16)}",
            base_commit=base,
            state=TurnState.RUNNING,
        )
        conversation.take(ticket, turn)
    return turn


def _command(ticket: Ticket, turn: Turn, version: AgentVersion, workspace: Workspace) -> Command:
    environment = children.allowed_environment(version.environment)
    environment |= {variable: secret_store.reveal(name) for variable, name in version.secrets.items()}
    return Command(
        argv=tuple(version.command),
        cwd=Path(workspace.path),
        env=environment | {"SHIPROOM_TICKET": ticket.key, "SHIPROOM_NONCE": turn.nonce, "HOME": workspace.path},
        stdin=prompts.compose(ticket, turn, prompts.talk_of(turn)),
        wall_seconds=min(version.wall_seconds, limits.value("TURN_WALL_SECONDS")),
        silence_seconds=min(version.silence_seconds, limits.value("TURN_SILENCE_SECONDS")),
    )


def _judge(result: ChildResult, turn: Turn, ticket: Ticket, version: AgentVersion) -> Verdict:
    adapter = adapter_named(version.adapter)(turn.nonce, ticket.key)
    if not result.stdout.exists():
        return verdict(adapter.finish(), result.record, turn.nonce, ticket.key)
    with result.stdout.open("rb") as spool:
        return verdict(read_all(adapter, spool), result.record, turn.nonce, ticket.key)


def _measure(claim: Claim, turn: Turn, workspace: Workspace, result: ChildResult, found: Verdict) -> None:
    """Store what the portal itself sees beside what the agent says."""
    head = git.head(Path(workspace.path))
    payload = found.signal.payload if found.signal else ""
    with claim.fenced():
        Turn.objects.filter(pk=turn.pk).update(
            verdict=found.text[:300], exit_code=result.record.exit_code, head_commit=head, payload=str(payload)[:4000]
        )
    turn.refresh_from_db()


def settle(ending: Ending) -> None:
    """Move turn and ticket with their attempt. A ticket that moved on meanwhile is left as it is."""
    ticket = Ticket.objects.select_related("project").filter(pk=ending.payload["ticket"]).first()
    if ticket is None:
        return
    turn_verb, ticket_verb = _settled(ending)
    live = Turn.objects.select_related("ticket", "agent_version__agent").filter(state=TurnState.RUNNING)
    turn = live.filter(attempt_id=ending.attempt_id).first() if ending.attempt_id else None
    if turn is not None:
        _answer(ending, turn)
        said = turn.verdict or (ending.error.strip().splitlines() or [""])[-1]
        TURN.move(turn, turn_verb, reason=ending.error[:300], ended_at=Wall(), verdict=said[:300])
    if ticket.state in TICKET.transitions[ticket_verb].sources:
        TICKET.move(ticket, ticket_verb, reason=ending.error[:500])


def _answer(ending: Ending, turn: Turn) -> None:
    """What becomes of the messages that the turn took, and what it says itself."""
    if not isinstance(ending.result, TurnResult):
        conversation.give_back(turn)
        return
    conversation.acknowledge(turn)
    with acting(Actor("agent", str(turn.agent_version.agent_id), turn.agent_version.agent.name)):
        conversation.said(turn, turn.payload)


def _settled(ending: Ending) -> tuple[str, str]:
    if isinstance(ending.result, TurnResult):
        turn_verb, ticket_verb = _VERBS[ending.result.signal]
        if ending.result.signal is SignalKind.DONE and not ending.result.moved:
            ticket_verb = "leave_unproven"
        return turn_verb, ticket_verb
    if ending.outcome is Outcome.CANCELLED:
        return "stop", "stop"
    if not ending.final:
        return "fail", "wait_again"
    return "fail", "fail"


def requeued(subject: str, payload: dict[str, int]) -> None:
    """A person gave the dead turn's job another life: its ticket waits again."""
    ticket = Ticket.objects.filter(pk=payload["ticket"]).first()
    if ticket is not None and ticket.state in {TicketState.FAILED, TicketState.OPEN}:
        TICKET.move(ticket, "wait_again", reason="Its job was requeued.")
