"""Pages and admin of careful steps: pauses ended, migrations waived, structures compared, health since then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

from deployments.models import Deployment, Service, Step, Waiver
from portal.core.clock import Wall
from tests.deployments import careful, pages
from tests.signing_in import SignIn

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = pytest.mark.pages
BOLD = [{"kind": "migrate", "name": "Drop the old tables", "command": ["./migrate"]}]


@pytest.fixture
def waits(world: World) -> Deployment:
    """Its migration has no backup, no rehearsal and no way back; the releaser asked for it."""
    found: Deployment = careful.place(world, "bold", "hill", BOLD, migrations_rehearsed=True).ask(world.releaser)
    return found


@pytest.fixture
def pausing(world: World) -> Deployment:
    found = pages.walked(careful.place(world, "still", "lake").ask(world.releaser), steps=4)
    pages.begun(found)
    Step.objects.filter(deployment=found, n=5).update(due_at=Wall(600))
    return pages.again(found)


def test_a_migration_is_waived_on_the_page_and_who_asked_sees_why_they_cannot(
    world: World, sign_in: SignIn, waits: Deployment
) -> None:
    address = f"{waits.get_absolute_url()}waive/"
    sent = {"plan_digest": waits.plan_digest, "kind": "rehearsal", "reason": "The table is empty."}
    own = sign_in(world.releaser)
    page = own.get(waits.get_absolute_url()).content.decode()
    assert "Drop the old tables has no backup step and no rehearse step" in page
    assert "You asked for this deployment, so somebody else waives it." in page
    refused = own.post(address, sent)
    assert refused.status_code == 409 and "You typed" in refused.content.decode()
    other = sign_in(world.owner)
    assert other.post(address, sent | {"reason": ""}).status_code == 422
    assert other.post(address, sent | {"kind": "luck"}).status_code == 422
    assert other.post(address, sent).status_code == 302
    assert other.post(address, sent | {"kind": "one_way"}).status_code == 302
    assert Waiver.objects.count() == 2
    assert pages.again(waits).state == "queued"
    assert sign_in(world.reviewer).post(address, sent).status_code == 403


def test_a_pause_is_ended_on_the_page_with_a_reason(world: World, sign_in: SignIn, pausing: Deployment) -> None:
    browser = sign_in(world.releaser)
    page = browser.get(pausing.get_absolute_url()).content.decode()
    assert "End the pause of step 5" in page and "no worker is held" in page
    address = f"{pausing.get_absolute_url()}end-wait/"
    assert browser.post(address, {"step": 5, "reason": ""}).status_code == 422
    assert browser.post(address, {"step": 5, "reason": "It is settled."}).status_code == 302
    assert pausing.steps.get(n=5).message == "Ended early: It is settled."
    late = browser.post(address, {"step": 5, "reason": "Once more."})
    assert late.status_code == 409 and "Once more." in late.content.decode()


def test_what_careful_steps_left_is_on_the_pages(world: World, sign_in: SignIn) -> None:
    scenes = careful.scenes(world)
    browser = sign_in(world.viewer)
    done = browser.get(scenes["careful-done"]).content.decode()
    assert "+    fence integer NOT NULL" in done and "go 2 of 3" in done and "for 60 s" in done
    assert "must answer 200 or 302 with “<bdi>Lamp</bdi>” in it" in done
    place = browser.get(scenes["environment-degraded"]).content.decode()
    assert "Degraded" in place and "somebody deployed by hand" in place and "Health since" in place
    assert "somebody deployed by hand" in browser.get("/deployments/environments/").content.decode()
    assert "Services that are not well" in browser.get("/").content.decode()
    assert "by GET, until status 200 or 302" in browser.get(scenes["careful-service"]).content.decode()


def test_each_kind_of_step_is_written_on_the_page_and_comes_back_as_it_was(world: World, sign_in: SignIn) -> None:
    place = careful.place(world, "ledger", "books")
    browser = sign_in(world.owner)
    address = f"{place.service.get_absolute_url()}pipeline/"
    before = list(place.service.pipeline.order_by("n").values())
    sent = _as_sent(browser, address)
    answer = browser.post(address, sent, follow=True)
    assert answer.status_code == 200, answer.content.decode()[:2000]
    after = list(place.service.pipeline.order_by("n").values())
    unnumbered = [[{**row, "id": 0} for row in rows] for rows in (before, after)]
    assert unnumbered[0] == unnumbered[1]
    assert "refuses it without a waiver" not in answer.content.decode()
    wrong = browser.post(address, sent | {"step-5-statuses": "2xx", "step-4-pause_seconds": "0", "expected_version": 2})
    page = wrong.content.decode()
    assert wrong.status_code == 422 and "“2xx” is no status" in page and "A whole number from 1" in page
    bold = {"step-0-kind": "migrate", "step-0-step": "Migrate", "step-0-command": "./migrate", "step-0-wall_seconds": 0}
    warned = browser.post(address, bold | {"expected_version": 2, "do": "save"}, follow=True).content.decode()
    assert "Migrate has no backup step and no rehearse step before it" in warned
    assert "Migrate cannot come back" in warned


def _as_sent(browser: Client, address: str) -> dict[str, Any]:
    """What a browser would send of the page as it stands."""
    page = browser.get(address)
    sent: dict[str, Any] = {"expected_version": page.context["seen"], "do": "save"}
    for row in page.context["pipeline"].rows:
        sent[f"{row.prefix}-kind"] = row.kind
        for bound in row:
            value = bound.value()
            if isinstance(value, list):
                value = bound.field.prepare_value(value)
            if value is not None and value is not False:
                sent[bound.html_name] = "on" if value is True else value
    return sent


def test_the_admin_waives_and_ends_pauses(
    world: World, sign_in: SignIn, waits: Deployment, pausing: Deployment
) -> None:
    browser = sign_in(world.admin)
    address = f"/admin/deployments/deployment/{waits.pk}"
    assert "Drop the old tables cannot come back" in browser.get(f"{address}/change/").content.decode()
    sent = {"plan_digest": waits.plan_digest, "kind": "one_way", "reason": "Kept elsewhere."}
    browser.post(f"{address}/do/waive/", sent)
    assert Waiver.objects.get().by == world.admin
    browser.post(f"/admin/deployments/deployment/{pausing.pk}/do/end_wait/", {"step": 5, "reason": "Settled."})
    assert pausing.steps.get(n=5).state == "succeeded"
    careful.scenes(world)
    for model in ("waiver", "observation", "structure", "step", "placement", "service"):
        assert browser.get(f"/admin/deployments/{model}/").status_code == 200
    for model, row in (("service", Service), ("waiver", Waiver)):
        pk = row.objects.order_by("-pk").first().pk  # type: ignore[attr-defined]
        assert browser.get(f"/admin/deployments/{model}/{pk}/change/").status_code == 200
