"""The whole journey through the admin alone: two admins, forms, real processes, a real repository and service.

From a document to what is verified live, and back: everything is a POST of a
form that the page showed. The main clicks once more in a browser.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.test import override_settings

from tests import factories, journeys
from tests.bad_inputs.forms import Forms
from tests.engines import children
from tests.engines.stack import Stack
from tests.engines.visitor import Page, Visitor
from tests.journeys import CRITICAL, DOCUMENT, Depot

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

    from portal.core.models import User

pytestmark = [pytest.mark.processes, pytest.mark.timeout(300)]
ENDS = {"succeeded", "interrupted", "rolled_back", "failed", "refused"}
PROGRAMS = ("asking_agent.py", "editing_agent.py")


@dataclass(frozen=True)
class Shop:
    """An installation with two admins, and all that the first of them has set up by forms."""

    stack: Stack
    asks: Visitor
    approves: Visitor
    depot: Depot
    # where the agent's program is to be; it is not, at first
    programs: Path


@pytest.fixture(scope="module")
def shop(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    from portal.core.models import User

    stack.everything()
    # Signed in through the real door, which knows the product's hashes alone.
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.Argon2PasswordHasher"]):
        first, second = (
            User.objects.create_superuser(f"{name.lower()}@example.org", factories.PASSWORD, name=name)
            for name in ("First", "Second")
        )
    depot, programs = Depot(tmp_path_factory.mktemp("team")), tmp_path_factory.mktemp("programs")
    with depot.running():
        asks, approves = (_signed_in(stack, person) for person in (first, second))
        found = Shop(stack, asks, approves, depot, programs)
        _set_up(found)
        yield found


def test_a_document_becomes_what_is_verified_live_by_forms_of_the_admin_alone(shop: Shop) -> None:
    first = _deployed(shop, "Begin here.")
    assert (_state(first), shop.depot.live) == ("succeeded", shop.depot.head), "what stands there lacks the fix"
    finding = _imported(shop)
    held = _asked(shop)
    page = shop.asks.get(_page(held)).text
    assert CRITICAL in page, "the gate says which finding holds"
    assert "make it a ticket, or answer it" in page, "and what would lift it"

    _worked_and_merged(shop, finding)
    assert _standing(finding) == f"Fix present in {shop.depot.head[:9]}"
    page = _done(shop.asks, held, "look_again").text
    assert "does not hold" in page, "the commit of then is without the fix"
    _done(shop.asks, held, "cancel", reason="A newer one is asked for.")

    broken = _red_health_is_taken_back_by_an_answer(shop, first, finding)
    live = _it_goes_again_once_its_hold_is_lifted(shop, broken, finding)
    _done(shop.asks, live, "roll_back", reason="The shelf creaks.")
    assert _wait(live, {"rolled_back", "interrupted"}, 90) == "rolled_back"
    assert shop.depot.live == first.commit
    assert _standing(finding).startswith("Fix present"), "what was live is not any more"


# The journey -------------------------------------------------------------------------


def _worked_and_merged(shop: Shop, finding: Any) -> None:
    """The agent cannot start, its job is dead; with its program there it is queued again, asks, and is answered."""
    from workers.models import Job

    _done(shop.asks, finding, "ticket")
    finding.refresh_from_db()
    ticket = finding.ticket
    assert ticket.key == "MC-21", "the key that the document gives it"
    _done(shop.asks, ticket, "assign", agent=_agent().pk)
    assert _wait(ticket, {"failed", "needs_person", "unproven"}, 60) == "failed"
    for name in PROGRAMS:
        shutil.copy(journeys.EXAMPLES / name, shop.programs / name)
    job = Job.objects.get(subject=ticket.subject, state="dead")
    again = {"action": "requeue", "_selected_action": job.pk, "index": 0, "reason": "The programs are there now."}
    assert "1 queued again." in _sent(shop.asks, "/admin/workers/job/", again).text
    assert _wait(ticket, {"needs_person", "failed", "unproven"}, 60) == "needs_person"
    assert "How should the note be written?" in shop.asks.get(_page(ticket)).text
    _done(shop.asks, ticket, "answer", choice="1")
    assert _wait(ticket, {"in_review", "failed", "unproven"}, 60) == "in_review"
    _done(shop.asks, ticket, "accept", reason="Read the diff.")
    assert _wait(ticket, {"done", "in_review", "needs_person"}, 60) == "done"
    assert shop.depot.git("show", "main:ANSWER.md") == "- MC-21: Long"
    finding.refresh_from_db()


def _red_health_is_taken_back_by_an_answer(shop: Shop, first: Any, finding: Any) -> Any:
    """The old service stays up although it was restarted: nothing is said to be live."""
    shop.depot.stick(True)
    broken = _deployed(shop, "It is time.")
    shop.depot.stick(False)
    assert _state(broken) == "interrupted"
    page = shop.asks.get(_page(broken)).text
    assert "It needs a person. Health: It never reported" in page
    unsaid = _do(shop.asks, broken, "answer", choice="roll_back")
    assert (unsaid.status, "Say why" in unsaid.text) == (409, True)
    _done(shop.asks, broken, "answer", choice="roll_back", reason="The old one stays up.")
    assert _wait(broken, {"rolled_back", "failed"}, 90) == "rolled_back"
    assert shop.depot.live == first.commit
    assert shop.depot.schema == [first.commit], "the migration was undone"
    assert _standing(finding).startswith("Fix present")
    return broken


def _it_goes_again_once_its_hold_is_lifted(shop: Shop, broken: Any, finding: Any) -> Any:
    from deployments.models import Hold

    again = _asked(shop)
    hold = Hold.objects.get(release=again.release, state="holding")
    assert hold.cause == broken
    assert "is held: Rolled back: The old one stays up." in shop.asks.get(_page(again)).text
    _done(shop.approves, hold, "lift", reason="It was stuck.")
    _approved(shop, again, "Once more.")
    assert _wait(again, ENDS, 90) == "succeeded"
    assert shop.depot.live == again.commit == shop.depot.head
    assert _standing(finding) == "Verified live: web in production"
    assert "It stands in production, and the service reports its commit." in shop.asks.get(_page(again)).text
    return again


# What its people do ------------------------------------------------------------------


def _signed_in(stack: Stack, person: User) -> Visitor:
    visitor = Visitor(stack.base_url)
    visitor.sign_in(person.email, factories.PASSWORD)
    return visitor


def _set_up(shop: Shop) -> None:
    """A project, an agent whose program is missing, a service, an environment and a policy: each by its form."""
    from tickets.models import Project

    depot = shop.depot
    rows = {"memberships-TOTAL_FORMS": 0, "memberships-INITIAL_FORMS": 0}
    _added(shop, "tickets/project", {"key": "MC", "name": "Depot", "repository": str(depot.repository), **rows})
    project = Project.objects.get().pk
    command = f'["{sys.executable}", "-I", "{shop.programs / PROGRAMS[0]}"]'
    profile = {"name": "asker", "adapter": "plain", "trusted": "on", "command": command, "max_failures": 1}
    profile |= {"wall_seconds": 60, "silence_seconds": 60}
    _added(shop, "workers/agent", profile)
    _added(shop, "deployments/service", {"project": project, "name": "web", **pipeline(journeys.STEPS)})
    place = {"project": project, "name": "production", "approvals_needed": 1}
    variables = "\r\n".join(f"{name}={value}" for name, value in depot.variables.items())
    _added(shop, "deployments/environment", place | {"variables": variables})
    _added(shop, "deployments/policy", {"of_project": project, "severities": ["critical", "high"]})


def pipeline(steps: list[dict[str, Any]]) -> dict[str, Any]:
    """The rows of the form of a service, as they would be typed."""
    sent: dict[str, Any] = {"pipeline-TOTAL_FORMS": len(steps)}
    for place, step in enumerate(steps):
        row = {"n": place + 1, "wall_seconds": 0, "again": "on", **step}
        row |= {name: "\r\n".join(value) for name, value in row.items() if isinstance(value, list)}
        sent |= {f"pipeline-{place}-{name}": value for name, value in row.items()}
    return sent


def _added(shop: Shop, model: str, changes: dict[str, Any]) -> None:
    path = f"/admin/{model}/add/"
    page = _sent(shop.asks, path, changes)
    assert (page.status, page.path != path) == (200, True), page.text[-8000:]


def _sent(visitor: Visitor, path: str, changes: dict[str, Any], files: Any = None) -> Page:
    """The form of the page as a browser would send it, with what is typed into it."""
    form = max(_forms(visitor, path), key=lambda found: len(found.fields))
    fields = form.sent() | changes
    fields.pop("csrfmiddlewaretoken", None)
    plain = {name: value[0] if isinstance(value, list) else value for name, value in fields.items()}
    return visitor.post(path, plain if files else fields, files)


def _forms(visitor: Visitor, path: str) -> list[Any]:
    return Forms(path, visitor.get(path).text).found()


def _do(visitor: Visitor, row: Any, verb: str, **typed: Any) -> Page:
    """A deed, by its form on the page of the row."""
    wanted = _page(row).replace("/change/", f"/do/{verb}/")
    forms = _forms(visitor, _page(row))
    form = next((found for found in forms if found.action == wanted), None)
    assert form is not None, (verb, [found.action for found in forms])
    fields = form.sent(**{name: str(value) for name, value in typed.items()})
    fields.pop("csrfmiddlewaretoken", None)
    return visitor.post(wanted, fields)


def _done(visitor: Visitor, row: Any, verb: str, **typed: Any) -> Page:
    page = _do(visitor, row, verb, **typed)
    assert (page.status, page.path) == (200, _page(row)), page.text[-6000:]
    return page


def _page(row: Any) -> str:
    return f"/admin/{row._meta.app_label}/{row._meta.model_name}/{row.pk}/change/"


def _imported(shop: Shop) -> Any:
    """The document is uploaded, read and applied; its critical finding."""
    from reviews.models import Finding, Review
    from tickets.models import Project

    typed = {"of_project": Project.objects.get().pk, "series_name": "Depot", "text": ""}
    page = _sent(shop.asks, "/admin/reviews/review/add/", typed, {"document": ("depot.md", DOCUMENT)})
    review = Review.objects.get()
    assert page.path == _page(review), page.text[-6000:]
    assert _wait(review, {"planned", "failed"}) == "planned"
    _done(shop.asks, review, "apply", document_keys="on")
    finding = Finding.objects.get(occurrences__review=review, severity="critical")
    assert finding.title == CRITICAL
    return finding


def _asked(shop: Shop) -> Any:
    from deployments.models import Deployment, Environment, Service

    wanted = {"of_service": Service.objects.get().pk, "into": Environment.objects.get().pk}
    page = _sent(shop.asks, "/admin/deployments/deployment/add/", wanted)
    deployment = Deployment.objects.latest("pk")
    assert page.path == _page(deployment), page.text[-6000:]
    assert _wait(deployment, {"waiting_gate", "refused"}) == "waiting_gate"
    deployment.refresh_from_db()
    return deployment


def _deployed(shop: Shop, words: str) -> Any:
    """Asked for by one, refused to the same person's approval, approved by another, and run to its end."""
    deployment = _asked(shop)
    own = _do(shop.asks, deployment, "approve", reason="Mine.")
    assert (own.status, "somebody else approves it" in own.text) == (409, True)
    _approved(shop, deployment, words)
    _wait(deployment, ENDS, 90)
    return deployment


def _approved(shop: Shop, deployment: Any, words: str) -> None:
    _done(shop.approves, deployment, "approve", reason=words)


def _agent() -> Any:
    from workers.models import Agent

    return Agent.objects.get()


def _wait(row: Any, states: set[str], seconds: float = 40) -> str:
    children.wait_for(f"{row} to be one of {sorted(states)}", lambda: _state(row) in states, seconds=seconds)
    return _state(row)


def _state(row: Any) -> str:
    row.refresh_from_db()
    return str(row.state)


def _standing(finding: Any) -> str:
    from reviews import evidence

    return evidence.standing_of(type(finding).objects.get(pk=finding.pk)).sentence


# In a browser ------------------------------------------------------------------------


@pytest.mark.browser
@pytest.mark.once
def test_the_main_clicks_of_a_deployment_in_the_admin(shop: Shop, browser: Browser) -> None:
    from deployments.models import Deployment, Environment, Service
    from tests.browser.test_look import in_every_look

    (shop.depot.repository / "door.txt").write_text("oiled\n")
    shop.depot.git("add", "-A")
    shop.depot.git("-c", "user.name=Team", "-c", "user.email=team@example.org", "commit", "-q", "-m", "Oil the door")
    with _opened(shop, browser, 0) as asking, _opened(shop, browser, 1) as approving:
        page = asking.new_page()
        page.goto(f"/admin/deployments/service/{Service.objects.get().pk}/change/")
        in_every_look(page, "admin-service")
        page.goto(f"/admin/deployments/environment/{Environment.objects.get().pk}/change/")
        in_every_look(page, "admin-environment")
        page.goto("/admin/deployments/deployment/add/")
        page.get_by_label("Service").select_option(label="MC · web")
        page.get_by_label("Environment").select_option(label="MC · production")
        page.get_by_role("button", name="Save", exact=True).click()
        page.wait_for_url("**/change/")
        deployment = Deployment.objects.latest("pk")
        assert _wait(deployment, {"waiting_gate", "refused"}) == "waiting_gate"
        page.reload()
        page.get_by_text("It waits at the gate: 1 approval, not by who asked").wait_for()
        page.locator("summary", has_text="Approve").click()
        page.get_by_role("button", name="Approve", exact=True).click()
        page.get_by_text("You asked for this deployment, so somebody else approves it.").wait_for()
        in_every_look(page, "admin-deployment-approve")
        other = approving.new_page()
        other.goto(_page(deployment))
        in_every_look(other, "admin-deployment-waits")
        other.locator("summary", has_text="Approve").click()
        other.get_by_label("What was looked at").fill("The diff.")
        other.get_by_role("button", name="Approve", exact=True).click()
        other.get_by_text("Approved.").wait_for()
        assert _wait(deployment, ENDS, 90) == "succeeded"
        other.reload()
        other.get_by_text("It stands in production, and the service reports its commit.").wait_for()
        in_every_look(other, "admin-deployment-stands")
        page.goto("/admin/deployments/policy/add/")
        in_every_look(page, "admin-policy-add")


def _opened(shop: Shop, browser: Browser, who: int) -> BrowserContext:
    """Signed in as one of the two: with the session that their form opened."""
    visitor = (shop.asks, shop.approves)[who]
    session = next(cookie.value for cookie in visitor.cookies if cookie.name == "shiproom")
    context = browser.new_context(base_url=shop.stack.base_url)
    context.add_cookies([{"name": "shiproom", "value": str(session), "url": shop.stack.base_url}])
    return context
