"""The whole journey, from a document to what is verified live, as its people see it.

Real processes, a real repository, a service of its own, forms sent to the
pages, and a live socket that is followed from the first page to the last.
Nothing is mocked; who asks and who approves are two people.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings
from websockets.exceptions import ConnectionClosed

from tests import factories, journeys
from tests.engines import children
from tests.engines.stack import Stack
from tests.engines.visitor import Visitor
from tests.journeys import CRITICAL, DOCUMENT, Depot

pytestmark = [pytest.mark.processes, pytest.mark.timeout(300)]
ENDS = {"succeeded", "interrupted", "rolled_back", "failed"}


@pytest.fixture(scope="module")
def running(stack: Stack) -> Stack:
    stack.everything()
    return stack


@pytest.fixture(scope="module")
def world(running: Stack) -> factories.World:
    # Signed in through the real door, which knows the product's hashes alone.
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.Argon2PasswordHasher"]):
        return factories.world()


@pytest.fixture
def depot(tmp_path: Path) -> Iterator[Depot]:
    found = Depot(tmp_path)
    with found.running():
        yield found


class Watcher:
    """Follows streams over the socket for as long as the block lasts; ``seen`` has every frame."""

    def __init__(self, visitor: Visitor) -> None:
        self._open = contextlib.ExitStack()
        self.socket = self._open.enter_context(visitor.socket())
        self.seen: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def follow(self, stream: str) -> None:
        self.socket.send(json.dumps({"type": "follow", "stream": stream, "cursor": None}))

    def versions(self, subject: str, stream: str) -> list[int]:
        told = [frame for frame in list(self.seen) if frame.get("stream") == stream]
        return [frame["version"] for frame in told if frame.get("object") == subject]

    def close(self) -> None:
        self._open.close()
        self._reader.join(10)

    def _read(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            for frame in self.socket:
                self.seen.append(json.loads(frame))


def test_a_document_becomes_what_is_verified_live_and_a_rollback_takes_it_back(
    running: Stack, world: factories.World, depot: Depot
) -> None:
    _set_up(world, depot)
    owner, releaser = _signed_in(running, world.owner), _signed_in(running, world.releaser)
    with contextlib.closing(Watcher(owner)) as watcher:
        watcher.follow(world.mc.scope)
        first = _deployed(owner, releaser, "Begin here.")
        assert (first.state, depot.live) == ("succeeded", depot.head), "what stands there lacks the fix"

        finding, held = _a_document_closes_the_gate(owner)
        _its_ticket_is_worked_and_merged(owner, watcher, finding, depot)
        _a_commit_without_the_fix_does_not_pass(owner, held)
        broken = _red_health_goes_back_by_itself(owner, releaser, depot, first, finding)
        held.refresh_from_db()
        assert held.state == "cancelled", "the older request does not outlive the newer one that started"
        live = _it_goes_again_once_its_hold_is_lifted(owner, releaser, depot, broken, finding)
        assert "0 differences" in running.manage("rebuild_evidence", "--check").stdout
        _a_person_takes_it_back(owner, releaser, depot, first, live, finding)
        told = watcher.versions(live.subject, world.mc.scope)
        assert told and told == sorted(set(told)), "the project's page saw it move, each time once and in order"


# The journey -------------------------------------------------------------------------


def _a_document_closes_the_gate(owner: Visitor) -> tuple[Any, Any]:
    from reviews.models import Finding

    review = _imported(owner)
    finding = Finding.objects.get(occurrences__review=review, severity="critical")
    assert finding.title == CRITICAL
    held = _asked(owner)
    assert _wait(held, {"waiting_gate"}) == "waiting_gate"
    page = owner.get(held.get_absolute_url()).text
    assert CRITICAL in page, "the gate says which finding holds"
    assert "make it a ticket, or answer it" in page, "and what would lift it"
    owner.get(f"/reviews/{review.pk}/")
    assert owner.post(f"/reviews/{review.pk}/tickets/", {"finding": finding.pk}).status == 200
    finding.refresh_from_db()
    assert finding.ticket.key == "MC-21", "the key that the document gives it"
    return finding, held


def _its_ticket_is_worked_and_merged(owner: Visitor, watcher: Watcher, finding: Any, depot: Depot) -> None:
    ticket = finding.ticket
    watcher.follow(ticket.subject)
    _worked(owner, ticket)
    _accepted(owner, ticket)
    assert depot.git("show", "main:ANSWER.md") == "- MC-21: Long"
    finding.refresh_from_db()
    assert (finding.state, _standing(finding)) == ("fixed", f"Fix present in {depot.head[:9]}")
    told = watcher.versions(ticket.subject, ticket.subject)
    assert told and told == sorted(set(told)), "each change was told once, in order"


def _a_commit_without_the_fix_does_not_pass(owner: Visitor, held: Any) -> None:
    """The finding is answered; the request from before is for a commit that does not hold its fix."""
    children.wait_for("another look", lambda: "does not hold" in owner.get(held.get_absolute_url()).text, seconds=20)
    held.refresh_from_db()
    assert held.state == "waiting_gate"


def _red_health_goes_back_by_itself(owner: Visitor, releaser: Visitor, depot: Depot, first: Any, finding: Any) -> Any:
    """The old service stays up although it was restarted: nothing is said to be live."""
    depot.stick(True)
    broken = _deployed(owner, releaser, "It is time.")
    depot.stick(False)
    assert (broken.state, depot.live) == ("rolled_back", first.commit)
    assert depot.schema == [first.commit], "the migration was undone"
    assert _standing(finding).startswith("Fix present")
    page = owner.get(broken.get_absolute_url()).text
    assert "never reported" in page
    assert "Undo: Migrate" in page
    return broken


def _it_goes_again_once_its_hold_is_lifted(
    owner: Visitor, releaser: Visitor, depot: Depot, broken: Any, finding: Any
) -> Any:
    from deployments.models import Hold

    again = _asked(owner)
    assert _wait(again, {"waiting_gate"}) == "waiting_gate"
    hold = Hold.objects.get(release=again.release, state="holding")
    assert hold.cause == broken
    releaser.get(again.release.get_absolute_url())
    form = {"expected_version": 1, "reason": "It was stuck."}
    assert releaser.post(f"/deployments/holds/{hold.pk}/lift/", form).status == 200
    _approved(releaser, again, "Once more.")
    assert _wait(again, ENDS, 90) == "succeeded"
    assert depot.live == again.commit == depot.head
    assert _standing(finding) == "Verified live: web in production"
    chain = owner.get(f"/evidence/{finding.pk}/").text
    for part in ("Verified live", again.commit[:7], str(again.release), "MC-21"):
        assert part in chain
    return again


def _a_person_takes_it_back(
    owner: Visitor, releaser: Visitor, depot: Depot, first: Any, live: Any, finding: Any
) -> None:
    """What was live is not any more; the page of the finding says so, and who asked is told."""
    page = releaser.get(live.get_absolute_url())
    version = page.hidden("expected_version", form="rollback")
    form = {"expected_version": version, "reason": "The shelf creaks."}
    assert releaser.post(f"{live.get_absolute_url()}rollback/", form).status == 200
    assert _wait(live, {"rolled_back", "interrupted"}, 90) == "rolled_back"
    assert depot.live == first.commit
    assert _standing(finding).startswith("Fix present")
    chain = owner.get(f"/evidence/{finding.pk}/").text
    assert "does not hold it" in chain
    assert "was rolled back" in owner.get("/notifications/").text


# What its people do ------------------------------------------------------------------


def _signed_in(running: Stack, person: Any) -> Visitor:
    visitor = Visitor(running.base_url)
    visitor.sign_in(person.email, factories.PASSWORD)
    return visitor


def _set_up(world: factories.World, depot: Depot) -> None:
    """The project with its repository, the service with its steps, an environment that takes one approval, an agent."""
    from deployments import places
    from deployments.intake import StepSpec
    from tickets.models import Project
    from workers.models import Agent, AgentVersion

    Project.objects.filter(pk=world.mc.pk).update(repository=str(depot.repository))
    world.mc.refresh_from_db()
    places.add_service(world.mc, name="web", steps=[StepSpec(**step) for step in journeys.STEPS])
    places.add_environment(
        world.mc, name="production", variables=depot.variables, approvals_needed=1, on_failure="roll_back"
    )
    agent = Agent.objects.create(name="asker")
    command = journeys.asking_agent()
    AgentVersion.objects.create(
        agent=agent, number=1, adapter="plain", trusted=True, command=command, wall_seconds=60, silence_seconds=60
    )


def _asked(visitor: Visitor) -> Any:
    from deployments.models import Deployment, Environment, Service

    visitor.get("/deployments/new/")
    form = {"service": Service.objects.get().pk, "environment": Environment.objects.get().pk, "asked": ""}
    page = visitor.post("/deployments/new/", form)
    assert page.status == 200, page.text[:2000]
    assert page.path.startswith("/deployments/"), page.path
    return Deployment.objects.get(pk=int(page.path.split("/")[2]))


def _approved(visitor: Visitor, deployment: Any, words: str) -> None:
    page = visitor.get(deployment.get_absolute_url())
    form = {"plan_digest": page.hidden("plan_digest", form="approve"), "reason": words}
    done = visitor.post(f"{deployment.get_absolute_url()}approve/", form)
    assert done.status == 200, done.text[:2000]


def _deployed(owner: Visitor, releaser: Visitor, words: str) -> Any:
    """Asked for by one, refused to the same person's approval, approved by another, and run to its end."""
    deployment = _asked(owner)
    _wait(deployment, {"waiting_gate"})
    own = owner.post(
        f"{deployment.get_absolute_url()}approve/", {"plan_digest": deployment.plan_digest, "reason": "Mine."}
    )
    assert own.status == 409
    assert "somebody else approves" in own.text
    _approved(releaser, deployment, words)
    _wait(deployment, ENDS, 90)
    return deployment


def _imported(owner: Visitor) -> Any:
    from reviews.models import Review

    owner.get("/reviews/new/")
    page = owner.post(
        "/reviews/new/",
        {"project": "MC", "series": "Depot", "text": ""},
        {"file": ("depot.md", DOCUMENT)},
    )
    review = Review.objects.get(pk=int(page.path.split("/")[2]))
    _wait(review, {"planned", "failed"})
    owner.get(f"/reviews/{review.pk}/")
    form = {"expected_version": review.version, "document_keys": "on"}
    assert owner.post(f"/reviews/{review.pk}/apply/", form).status == 200
    assert _wait(review, {"applied"}) == "applied"
    return review


def _worked(owner: Visitor, ticket: Any) -> None:
    from workers.models import Agent

    page = owner.get(f"/tickets/{ticket.key}/")
    version = page.hidden("expected_version", form="assign")
    owner.post(f"/tickets/{ticket.key}/assign/", {"agent": Agent.objects.get().pk, "expected_version": version})
    assert _wait(ticket, {"needs_person", "failed", "unproven"}, 60) == "needs_person"
    assert "How should the note be written?" in owner.get("/").text, "what needs me names the question"
    page = owner.get(f"/tickets/{ticket.key}/")
    question = ticket.questions.get()
    form = {"expected_version": page.hidden("expected_version", form="answer"), "choice": "1", "text": ""}
    answered = owner.post(f"/tickets/{ticket.key}/questions/{question.turn.seq}/answer/", form)
    assert answered.status == 200
    assert _wait(ticket, {"in_review", "failed", "unproven"}, 60) == "in_review"
    assert ticket.turns.latest("seq").proven


def _accepted(owner: Visitor, ticket: Any) -> None:
    page = owner.get(f"/tickets/{ticket.key}/")
    form = {"reason": "Read the diff.", "expected_version": page.hidden("expected_version", form="accept")}
    assert owner.post(f"/tickets/{ticket.key}/accept/", form).status == 200
    assert _wait(ticket, {"done", "in_review", "needs_person"}, 60) == "done"


def _wait(row: Any, states: set[str], seconds: float = 40) -> str:
    def state() -> str:
        row.refresh_from_db()
        return str(row.state)

    children.wait_for(f"{row} to be one of {sorted(states)}", lambda: state() in states, seconds=seconds)
    return str(row.state)


def _standing(finding: Any) -> str:
    from reviews import evidence

    return evidence.standing_of(type(finding).objects.get(pk=finding.pk)).sentence
