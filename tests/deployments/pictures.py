"""Every state of a deployment and every page of places, by name, for the browser: their addresses."""

from __future__ import annotations

from datetime import timedelta

from deployments import approvals, holds, interruptions, places, requesting, steering
from deployments.models import Placement
from portal.core import clock
from portal.core.models import Activity
from portal.core.unit import unit_of_work
from reviews.models import Finding
from tests import factories
from tests.deployments import build, careful, frozen_scenes, pages
from tests.deployments.pages import place
from tests.factories import World
from tests.reviews import build as reviews
from tests.tickets import build as tickets
from tickets.models import Project, Ticket

OUTPUT = "".join(f"0143_attempt_fence  row {n} of 18,204\n" for n in range(1, 40))


def of_deployments(world: World) -> dict[str, str]:
    """The addresses of all scenes, in project MC but for what a finding holds."""
    found = frozen_scenes.scenes(world) | _ended(world) | _under_way(world)
    lan = factories.project("LAN", "Lantern")
    found |= _at_the_gate(world, lan) | _places(world) | _told(world) | careful.scenes(world)
    return found | {"deployments": "/deployments/", "deployment-new": "/deployments/new/"}


def _ended(world: World) -> dict[str, str]:
    mc, by = world.mc, world.releaser
    shop = place(mc, "shop", "staging", place=1)
    shop.put(by)
    succeeded = pages.walked(shop.ask(by))
    fallen = place(mc, "mailer", "staging-2", place=2)
    fallen.put(by)
    back = pages.walked(fallen.ask(by))
    steering.roll_back(back, expected_version=back.version, reason="The queue grows since it went there.")
    back = pages.walked(back)
    failed = pages.interrupted(place(mc, "indexer", "staging-3", place=3).ask(by))
    asking = interruptions.open_of(failed)
    assert asking is not None
    interruptions.answer(asking, "fail", by=by, reason="The address is wrong; I deploy again with the right one.")
    cancelled = place(mc, "cron", "staging-4", approvals_needed=1).ask(by)
    requesting.cancel(cancelled, expected_version=cancelled.version, reason="Not on a Friday.")
    return {
        "deployment-succeeded": succeeded.get_absolute_url(),
        "deployment-rolled-back": back.get_absolute_url(),
        "deployment-failed": failed.get_absolute_url(),
        "deployment-cancelled": cancelled.get_absolute_url(),
    }


def _under_way(world: World) -> dict[str, str]:
    mc, by = world.mc, world.releaser
    asks = place(mc, "relay", "production-eu", place=5)
    asks.put(by)
    first = asks.ask(by)
    pages.ended(pages.begun(first, "make: *** No rule\n"), right=False, message="Exit code 2.", code=2)
    asking = interruptions.open_of(pages.again(first))
    assert asking is not None
    interruptions.answer(asking, "retry", by=by)
    asks_on = pages.interrupted(first)
    manual = place(mc, "edge", "production-us", place=6)
    manual.service.pipeline.filter(n=2).update(
        kind="manual",
        name="Drain the balancer",
        command=[],
        undo=[],
        instructions="Take edge-1 out.\nWait until it is idle.",
    )
    by_hand = pages.walked(manual.ask(by))
    runs = place(mc, "api", "production-eu-2", place=7)
    runs.put(by)
    running = pages.walked(runs.ask(by), steps=1)
    pages.begun(running, OUTPUT)
    preparing = requesting.request(runs.service, runs.environment, asked="v1.4", by=by)
    return {
        "deployment-interrupted": asks_on.get_absolute_url(),
        "deployment-manual": by_hand.get_absolute_url(),
        "deployment-running": running.get_absolute_url(),
        "deployment-preparing": preparing.get_absolute_url(),
    }


def _at_the_gate(world: World, lan: Project) -> dict[str, str]:
    other = factories.person("on-call@example.org", name="On-call")
    for person in (other, world.releaser):
        factories.member(lan, person, factories.Role.RELEASER)
    gated = place(lan, "lantern-relay", "production", approvals_needed=2, on_failure="roll_back")
    reviews.applied(lan)
    held = gated.ask(world.releaser)
    approvals.approve(held, by=other, plan_digest=held.plan_digest, reason="Quiet hour, relay lag is 0.")
    free = place(lan, "lantern-api", "staging", approvals_needed=1)
    waits = free.ask(world.admin)
    holds.hold_environment(gated.environment, reason="The customer's audit ends on Friday.")
    return {"deployment-held": held.get_absolute_url(), "deployment-own": waits.get_absolute_url()}


def _places(world: World) -> dict[str, str]:
    places.set_policy(world.mc, severities=["critical", "high"], valid_hours=12, expected_number=0)
    stands = Placement.objects.filter(release__isnull=False).order_by("pk").select_related("release", "service")
    shown = stands[0]
    assert shown.release is not None
    with unit_of_work():
        holds.hold_release(shown.release, reason="It leaks.")
    return {
        "environments": "/deployments/environments/",
        "environments-none": "/deployments/environments/?project=ZZ",
        "environment": f"/deployments/environments/{shown.environment_id}/",
        "environment-held": "/deployments/environments/"
        f"{build.Environment.objects.get(project__key='LAN', name='production').pk}/",
        "environment-edit": f"/deployments/environments/{shown.environment_id}/edit/",
        "environment-new": "/deployments/environments/new/?project=MC",
        "service": shown.service.get_absolute_url(),
        "service-pipeline": f"{shown.service.get_absolute_url()}pipeline/",
        "service-new": "/deployments/services/new/?project=MC",
        "release": shown.release.get_absolute_url(),
        "policy": "/deployments/policies/MC/",
        "policy-none": "/deployments/policies/LAN/",
        "project-deploying": "/projects/MC/",
        "needs-deploying": "/",
    }


def _told(world: World) -> dict[str, str]:
    """A project with two environments and a past: what came with a release, what going back takes away, figures."""
    dock, by = factories.project("DCK", "Dock"), world.releaser
    factories.member(dock, by, factories.Role.RELEASER)
    _past(dock)
    staging = place(dock, "dock", "staging", place=1)
    live = pages.Place(dock, staging.service, build.environment(dock, "production", place=2, approvals_needed=1))
    live.environment.variables = staging.environment.variables
    live.environment.save()
    merges = _accepted(dock)
    staging.put(by)
    live.environment.approvals_needed = 0
    live.environment.save()
    live.put(by)
    newer = staging.put(by, pages.COMMIT, merges=merges, beside={pages.OLDER: [7, 0]})
    reviews.finding(dock, severity="critical")
    live.environment.approvals_needed = 2
    live.environment.save()
    live.ask(by, pages.COMMIT, merges=merges)
    back = staging.ask(by, pages.OLDER, asked="v1.3", gone=7)
    return {
        "release-told": pages.release_of(newer).get_absolute_url(),
        "deployment-back": back.get_absolute_url(),
        "environments-two": "/deployments/environments/?project=DCK",
        "figures": "/deployments/figures/?project=DCK",
        "ticket-live": Ticket.objects.filter(project=dock).latest("pk").get_absolute_url(),
    }


def _accepted(of: Project) -> frozenset[int]:
    """The work on three tickets, with what it cost and what it fixed."""
    found = []
    for n, title in enumerate(("Oil the hinge", "Count the lamps that are lit, not those that are there", "Paint"), 1):
        ticket = tickets.ticket(of, "done", title=title)
        turn = tickets.turn(ticket, head_commit="b" * 40, cost_usd=n, input_tokens=81_000 * n, output_tokens=9_000)
        merge = tickets.merge(ticket, turn, "merged", merged_commit=f"{n}" * 40, ended_at=clock.now())
        finding = reviews.finding(of, "fixed", severity="high")
        Finding.objects.filter(pk=finding.pk).update(title=title, ticket=ticket)
        finding.evidence.create(edge="commit", ref=merge.merged_commit, strength="measured", by="Shiproom")
        found.append(merge.pk)
    return frozenset(found)


def _past(of: Project) -> None:
    """Three months in which something went live most weeks, and went wrong now and then."""
    service, now = build.service(of, "crane"), clock.now()
    environments = [build.environment(of, name, place=n) for n, name in enumerate(("test", "berth"), 3)]
    before = build.release(service, "1" * 40)
    for days in range(85, 0, -3):
        environment = environments[days % 2]
        ticket = tickets.ticket(of, "done")
        turn = tickets.turn(ticket, head_commit="b" * 40)
        accepted = now - timedelta(days=days, hours=5 * (days % 7) + 2)
        merge = tickets.merge(ticket, turn, "merged", ended_at=accepted)
        release = build.release(service, merges=[merge.pk])
        verb = "fail" if days % 5 == 0 else "succeed"
        made = build.deployment(
            of,
            "failed" if verb == "fail" else "succeeded",
            service=service,
            environment=environment,
            release=release,
            previous=before,
        )
        Activity.objects.create(
            at=now - timedelta(days=days), actor_kind="user", actor_label="Releaser", verb=f"deployment.{verb}",
            subject=made.subject, request_id="past", scope=of.scope,
        )  # fmt: skip
