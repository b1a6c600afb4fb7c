"""Try it: a profile run once on a scratch repository, before a ticket depends on it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from django.conf import settings

from portal.core import limits
from portal.core.clock import Wall
from portal.core.lifecycle import Refused
from portal.core.storable import storable
from portal.core.unit import unit_of_work
from workers import children, kinds, queue
from workers.agents import breakers, containment, running
from workers.agents.adapters.events import SignalKind
from workers.agents.adapters.signals import asked_for
from workers.agents.adapters.verdict import State
from workers.agents.dialogue import Dialogue, Unattended
from workers.agents.running import Ran
from workers.agents.scratch import Scratch
from workers.claims import Claim
from workers.failures import BadInput, JobFailed
from workers.kinds import Ending, Kind
from workers.models import Agent, AgentVersion, Outcome, Pool, Trial, TrialState
from workers.transitions import TRIAL

KIND: Final = "agent.trial"
VERDICT_CHARS: Final = 300
_UNDER_WAY: Final = (TrialState.QUEUED, TrialState.RUNNING)


@dataclass(frozen=True)
class TrialResult:
    """What was seen of a trial that came to its end."""

    passed: bool
    verdict: str
    exit_code: int | None
    session_id: str
    cost: float | None
    steps: tuple[dict[str, Any], ...] = ()


def register() -> None:
    kinds.register(
        Kind(
            KIND,
            "Trial of an agent",
            Pool.TURNS,
            run,
            settle,
            requeued=_requeued,
            link=lambda subject: f"/admin/workers/trial/{subject.partition(':')[2]}/change/",
        )
    )


def ask(agent: Agent) -> Trial:
    """Queue a trial of the agent's newest profile. Raises ``Refused`` while one is under way."""
    with unit_of_work() as work:
        # Two people ask at once: the second waits here, and sees the first one's trial.
        agent = Agent.objects.select_for_update(no_key=True).get(pk=agent.pk)
        version = AgentVersion.objects.select_related("agent").filter(agent=agent).order_by("-number").first()
        if version is None:
            raise Refused(f"The agent {agent.name} has no profile that could be tried. Save one first.")
        if Trial.objects.filter(agent_version=version, state__in=_UNDER_WAY).exists():
            raise Refused(f"A trial of {version} is under way. Its result will stand among the trials below.")
        trial = Trial.objects.create(agent_version=version, state=TrialState.QUEUED)
        queue.set_lane(agent.lane, agent.concurrency)
        queue.enqueue(
            KIND,
            subject=f"trial:{trial.pk}",
            payload={"trial": trial.pk},
            unique_key=f"trial:{version.pk}",
            lane=agent.lane,
            # What it shows is the result: nothing is tried until it works.
            max_failures=1,
        )
        work.record("trial.asked", TRIAL.subject(trial), after={"version": version.number})
    trial.refresh_from_db(fields=["asked_at"])
    return trial


def run(claim: Claim) -> TrialResult:
    """The handler. A trial that fails is a result; raises what ``children.run`` raises, and ``BadInput``."""
    trial = Trial.objects.select_related("agent_version__agent").filter(pk=claim.payload["trial"]).first()
    if trial is None or trial.state != TrialState.QUEUED:
        raise BadInput("This trial is over, or is not there any more. Try the agent again from its page.")
    children.recover(claim)
    with claim.fenced():
        TRIAL.move(trial, "begin", attempt_id=claim.attempt_id)
    scratch = _scratch(trial.pk)
    base = scratch.make()
    program, ran = _run(claim, trial, scratch)
    found = _seen(trial.agent_version, program, ran, moved=_has_moved(scratch, base))
    # After a lost claim it may be another worker's by now: then it is left to that one.
    scratch.remove()
    return found


def _run(claim: Claim, trial: Trial, scratch: Scratch) -> tuple[str, Ran]:
    """The version that its program says, and what came of it."""
    version = trial.agent_version
    ticket, nonce = f"TRIAL-{trial.pk}", f"MC_TRIAL:{trial.pk}:{claim.fence}:{secrets.token_hex(16)}"
    name = f"shiproom-trial-{trial.pk}-{claim.fence}"
    command = running.command(
        version,
        cwd=scratch.repository,
        home=scratch.home,
        prompt=prompt(ticket, nonce),
        nonce=nonce,
        ticket=ticket,
        name=name,
    )
    wall = min(command.wall_seconds, limits.value("TRIAL_WALL_SECONDS"))
    silence = min(command.silence_seconds or wall, wall)
    program = running.program(claim, version, command, home=scratch.home)
    result = children.run(
        claim,
        replace(command, wall_seconds=wall, silence_seconds=silence),
        partner=Dialogue(Unattended()) if command.open_stdin else None,
    )
    ran = running.judge(version, result, nonce=nonce, ticket=ticket, before=None, name=name)
    result.forget()
    return program, ran


def prompt(ticket: str, nonce: str) -> str:
    return f"""This is a trial: it is to be seen whether you can work here. You are in an empty git repository.

Create a file hello.txt that holds the word hello, and commit it.

End with exactly one line of this form, its first value one of the four words:
{asked_for(ticket, nonce)}
"""


def _has_moved(scratch: Scratch, base: str) -> bool:
    try:
        return scratch.head() != base
    except JobFailed:
        # The agent took the repository away, or broke it: no commit of its can be seen.
        return False


def _seen(version: AgentVersion, program: str, ran: Ran, *, moved: bool) -> TrialResult:
    signal = ran.verdict.signal
    passed = ran.verdict.ok and signal is not None and signal.kind is SignalKind.DONE and moved
    said = [ran.verdict.text.rstrip(".")]
    if ran.verdict.ok:
        said = [f"It started, exited with code {ran.exit_code} and signalled {signal.kind if signal else 'nothing'}"]
    said.append("It made a commit" if moved else "It made no commit")
    said.append(f"Its session is {ran.session_id}" if ran.session_id else "It names no session that could be resumed")
    cost = ran.spent.cost if ran.spent and ran.spent.cost else None
    if cost is not None:
        said.append(f"It cost {cost:.4f} US dollars")
    verdict = f"{'. '.join(said)}."
    steps = tuple(_steps(version, program, ran, moved=moved, cost=cost))
    return TrialResult(passed, verdict[:VERDICT_CHARS], ran.exit_code, ran.session_id, cost, steps)


def _steps(
    version: AgentVersion, program: str, ran: Ran, *, moved: bool, cost: float | None
) -> Iterator[dict[str, Any]]:
    """What was seen, in order; ``ok`` is None where it speaks neither for nor against the profile."""
    signal = ran.verdict.signal if ran.verdict.ok else None
    started = ran.verdict.state is not State.COULD_NOT_START
    ended = "" if ran.exit_code is None else f", and exited with code {ran.exit_code}"
    yield _step(None, containment.told(version))
    yield _step(None, f"Its program calls itself {program}." if program else "Its program was not asked for a version.")
    yield _step(started, f"It started{ended}." if started else ran.verdict.text)
    yield _step(None, f"Its session is {ran.session_id}." if ran.session_id else "It named no session to go on with.")
    yield _step(None, f"It used tools, {ran.tools} times." if ran.tools else "It told of no use of a tool.")
    yield _step(signal is not None and signal.kind is SignalKind.DONE, ran.verdict.text)
    yield _step(moved, "It made a commit." if moved else "It made no commit.")
    yield _step(None, f"It cost {cost:.4f} US dollars." if cost is not None else "It told of no cost.")


def _step(ok: bool | None, text: str) -> dict[str, Any]:
    return {"ok": ok, "text": storable(text[:VERDICT_CHARS])}


def settle(ending: Ending) -> None:
    """Move the trial with its attempt. One that passed closes the profile's breaker."""
    trial = Trial.objects.select_related("agent_version__agent").filter(pk=ending.payload["trial"]).first()
    if trial is None or trial.state not in _UNDER_WAY:
        return
    if isinstance(ending.result, TrialResult):
        _settle_result(trial, ending.result)
        return
    if not ending.final:
        TRIAL.move(trial, "wait_again", reason=ending.error[:VERDICT_CHARS])
        return
    last = (ending.error.strip().splitlines() or ["It ended without a reason"])[-1]
    said = "It was stopped on request." if ending.outcome is Outcome.CANCELLED else last
    with unit_of_work() as work:
        TRIAL.move(trial, "fail", verdict=said[:VERDICT_CHARS], steps=[_step(False, said)], ended_at=Wall())
        work.after_commit(("trial", trial.pk), _scratch(trial.pk).remove)


def _settle_result(trial: Trial, result: TrialResult) -> None:
    TRIAL.move(
        trial,
        "pass" if result.passed else "fail",
        verdict=result.verdict,
        steps=list(result.steps),
        exit_code=result.exit_code,
        session_id=result.session_id,
        cost_usd=None if result.cost is None else Decimal(f"{min(result.cost, 999_999):.6f}"),
        ended_at=Wall(),
    )
    if result.passed:
        breakers.good(trial.agent_version)


def _requeued(subject: str, payload: dict[str, int]) -> None:
    raise Refused("A trial is not tried twice. Ask for another on the page of its agent.")


def clear_scratches() -> int:
    """Remove what trials that are over left on this machine; returns how many.

    One that was ended elsewhere, after its worker was lost, could not.
    """
    root: Path = settings.DATA_DIR / "trials"
    there = {int(path.name) for path in root.glob("*") if path.name.isdecimal()}
    live = Trial.objects.filter(pk__in=there, state__in=_UNDER_WAY).values_list("pk", flat=True)
    over = there - set(live)
    for trial in over:
        _scratch(trial).remove()
    return len(over)


def _scratch(trial: int) -> Scratch:
    return Scratch(settings.DATA_DIR / "trials" / str(trial))
