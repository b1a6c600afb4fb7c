"""Jobs, pauses and limits in the admin: each deed asks why, and what could not be done is said by name."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from django.urls import reverse

from portal.core import clock
from portal.core.models import Activity
from tests.signing_in import sign_in, static_root
from workers.models import Agent, AgentVersion, Attempt, Breaker, Job, Lane, LaneSlot, Pause

if TYPE_CHECKING:
    from portal.core.models import User
    from tests.factories import World

pytestmark = pytest.mark.pages

__all__ = ["sign_in", "static_root"]
JOBS = "admin:workers_job_changelist"
REASON = "The disk has room again."


@pytest.fixture
def as_admin(world: World, sign_in: Callable[[User | None], Client]) -> Client:
    return sign_in(world.admin)


def job(state: str = "dead", **fields: Any) -> Job:
    ended = clock.now() if state in {"dead", "cancelled", "succeeded"} else None
    return Job.objects.create(**{"kind": "files", "pool": "short", "state": state, "finished_at": ended} | fields)


def listed(client: Client, query: str) -> set[int]:
    return {row.pk for row in client.get(f"{reverse(JOBS)}?{query}").context["cl"].result_list}


def press(client: Client, action: str, rows: list[Job], **sent: Any) -> Any:
    chosen = {"action": action, "_selected_action": [row.pk for row in rows], "index": 0}
    return client.post(reverse(JOBS), chosen | sent, follow=True)


def said(answer: Any) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


class TestList:
    def test_it_is_filtered_by_state_pool_kind_age_agent_and_words_of_the_error(self, as_admin: Client) -> None:
        agent = Agent.objects.create(name="mender")
        turn = job("queued", pool="turns", kind="agent.trial", lane=agent.lane)
        old = job(error="No space left on device")
        Job.objects.filter(pk=old.pk).update(created_at=clock.now() - timedelta(days=2))
        assert listed(as_admin, "agent=mender") == listed(as_admin, "pool__exact=turns") == {turn.pk}
        assert listed(as_admin, "state__exact=dead") == listed(as_admin, "age=1d") == {old.pk}
        assert listed(as_admin, "q=space+left") == {old.pk}
        assert listed(as_admin, "age=7d") == set()

    @pytest.mark.parametrize("query", ["agent=nobody", "age=5m", "kind=nope"])
    def test_a_value_that_nobody_offered_narrows_nothing(self, as_admin: Client, query: str) -> None:
        only = job()
        assert listed(as_admin, query) == {only.pk}

    def test_attempts_stand_beneath_a_job_with_what_they_took(self, as_admin: Client) -> None:
        began = clock.now()
        times = {"started_at": began, "ended_at": began + timedelta(seconds=12)}
        took = {"cpu_ms": 1500, "memory_bytes": 3 * 1024 * 1024}
        row = job()
        Attempt.objects.create(job=row, fence=1, worker="short@build-7:1:1", outcome="failed", **times, **took)
        for address in (
            reverse("admin:workers_job_change", args=[row.pk]),
            reverse("admin:workers_attempt_changelist"),
        ):
            page = as_admin.get(address).content.decode()
            for words in ("build-7", "12.0 s", "1.50 s", "3.0\xa0MB"):
                assert words in page, address


class TestActions:
    def test_why_is_asked_on_a_page_between_and_kept(self, as_admin: Client) -> None:
        rows = [job(), job()]
        asked = press(as_admin, "requeue", rows)
        assert "2 chosen." in asked.content.decode()
        for row in rows:
            assert f'name="_selected_action" value="{row.pk}"' in asked.content.decode()
        empty = press(as_admin, "requeue", rows, reason=" ")
        assert empty.status_code == 422
        assert "Say why" in empty.content.decode()
        assert not Job.objects.filter(state="queued").exists()
        assert "2 queued again." in said(press(as_admin, "requeue", rows, reason=REASON))
        assert set(Activity.objects.filter(verb="job.requeued").values_list("reason", flat=True)) == {REASON}

    def test_one_that_cannot_be_is_named_and_stops_no_other(self, as_admin: Client) -> None:
        ended, waits = job("succeeded"), job("queued")
        told = said(press(as_admin, "cancel", [ended, waits], reason=REASON))
        assert told[0] == "1 cancelled, or asked to stop."
        assert told[1].startswith(f"{ended.pk}: Job {ended.pk} is succeeded")
        waits.refresh_from_db()
        assert (waits.state, waits.error) == ("cancelled", REASON)

    def test_all_rows_are_done_in_portions_that_a_next_press_goes_on_with(
        self, as_admin: Client, settings: Any
    ) -> None:
        settings.LIMITS = settings.LIMITS | {"BULK_JOBS_MAX": 2}
        rows = [job() for _ in range(3)]
        first = press(as_admin, "requeue", rows[:1], reason=REASON, select_across=1)
        assert "These were the first 2. Press again for the rest." in first.content.decode()
        assert f'name="after" value="{rows[1].pk}"' in first.content.decode()
        press(as_admin, "requeue", rows[:1], reason=REASON, select_across=1, after=rows[1].pk)
        assert Job.objects.filter(state="queued").count() == 3


class TestDeeds:
    @pytest.mark.parametrize(
        ("verb", "state", "after"), [("requeue", "dead", "queued"), ("cancel", "queued", "cancelled")]
    )
    def test_a_job_s_own_page_asks_why_as_well(self, as_admin: Client, verb: str, state: str, after: str) -> None:
        row = job(state, error="No space left", payload={"key": "in-the-payload"})
        page = as_admin.get(reverse("admin:workers_job_change", args=[row.pk])).content.decode()
        assert "No space left" in page
        assert "in-the-payload" not in page
        deed = reverse(f"admin:workers_job_do_{verb}", args=[row.pk])
        assert as_admin.post(deed, {"reason": ""}).status_code == 422
        assert as_admin.post(deed, {"reason": REASON}).status_code == 302
        row.refresh_from_db()
        assert row.state == after
        assert Activity.objects.get(subject=row.name).reason == REASON
        assert as_admin.post(deed, {"reason": REASON}).status_code == 409


class TestPauses:
    def test_to_add_one_pauses_and_its_deed_resumes(self, as_admin: Client) -> None:
        add = reverse("admin:workers_pause_add")
        assert as_admin.post(add, {"held": "kind:files", "why": REASON}).status_code == 302
        assert (Pause.objects.get().name, Pause.objects.get().reason) == ("kind:files", REASON)
        again = as_admin.post(add, {"held": "kind:files", "why": "Typed twice."})
        assert "kind:files is paused already." in again.content.decode()
        assert "Typed twice." in again.content.decode()
        page = as_admin.get(reverse("admin:workers_pause_change", args=["kind:files"])).content.decode()
        assert REASON in page
        deed = reverse("admin:workers_pause_do_resume", args=["kind:files"])
        assert as_admin.post(deed, {"reason": ""}).status_code == 422
        done = as_admin.post(deed, {"reason": "Go on."}, follow=True)
        assert said(done) == ["kind:files goes on."]
        assert not Pause.objects.exists()
        verbs = Activity.objects.filter(subject="kind:files").order_by("pk").values_list("verb", "reason")
        assert list(verbs) == [("queue.paused", REASON), ("queue.resumed", "Go on.")]

    @pytest.mark.parametrize(
        ("sent", "words"),
        [
            ({"held": "kind:nope", "why": REASON}, "There is no queue kind:nope."),
            ({"held": "pool:short", "why": ""}, "Say why"),
            ({"held": "pool:short", "why": "x" * 301}, "at most 300 characters"),
        ],
    )
    def test_what_is_wrong_is_said_in_its_place(self, as_admin: Client, sent: dict[str, str], words: str) -> None:
        answer = as_admin.post(reverse("admin:workers_pause_add"), sent)
        assert words in answer.content.decode()
        assert sent["why"] in answer.content.decode()
        assert not Pause.objects.exists()


class TestLimits:
    def test_a_kind_is_given_one_and_it_is_changed(self, as_admin: Client) -> None:
        add = reverse("admin:workers_lane_add")
        waits = job("queued")
        assert as_admin.post(add, {"limited": "kind:files", "slots": 2}).status_code == 302
        waits.refresh_from_db()
        assert (Lane.objects.get().slots, LaneSlot.objects.count(), waits.lane) == (2, 2, "kind:files")
        offered = as_admin.get(add).context["adminform"].form.fields["limited"].choices
        assert "kind:files" not in dict(offered), "one limit for a kind"
        change = reverse("admin:workers_lane_change", args=["kind:files"])
        assert as_admin.post(change, {"slots": 5, "initial-slots": 2}).status_code == 302
        told = Activity.objects.filter(verb="lane.changed").order_by("pk").values_list("before", "after")
        assert list(told) == [({}, {"slots": 2}), ({"slots": 2}, {"slots": 5})]

    @pytest.mark.parametrize(
        ("sent", "words"),
        [
            ({"limited": "kind:files", "slots": "0"}, "At least 1; to let none run, pause the kind."),
            ({"limited": "kind:files", "slots": "1001"}, "At most 1000."),
            ({"limited": "kind:files", "slots": "two"}, "Enter a whole number."),
            ({"limited": "agent:1", "slots": "1"}, "No kind without a limit is named agent:1."),
        ],
    )
    def test_what_is_wrong_is_said_in_its_place(self, as_admin: Client, sent: dict[str, str], words: str) -> None:
        answer = as_admin.post(reverse("admin:workers_lane_add"), sent)
        assert words in answer.content.decode()
        assert not Lane.objects.exists()

    @pytest.mark.parametrize("slots", [1, 1000])
    def test_both_ends_are_allowed(self, as_admin: Client, slots: int) -> None:
        assert (
            as_admin.post(reverse("admin:workers_lane_add"), {"limited": "kind:files", "slots": slots}).status_code
            == 302
        )


def test_the_list_of_agents_says_whose_breaker_is_open(as_admin: Client) -> None:
    for name in ("rests", "works"):
        agent = Agent.objects.create(name=name)
        profile = {"adapter": "plain", "command": ["true"], "wall_seconds": 60, "silence_seconds": 60}
        version = AgentVersion.objects.create(agent=agent, number=1, **profile)
        if name == "rests":
            Breaker.objects.create(agent_version=version, state="open", retry_at=clock.now())
    rows = as_admin.get(reverse("admin:workers_agent_changelist")).context["cl"].result_list
    assert {row.name: row.breaker_state for row in rows} == {"rests": "open", "works": None}
