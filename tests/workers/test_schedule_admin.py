"""Schedules in the admin: bad input is an error where it was typed, a change counts from now, and a go at once."""

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
from workers import schedules
from workers.models import Job, Schedule

if TYPE_CHECKING:
    from portal.core.models import User
    from tests.factories import World

__all__ = ["sign_in", "static_root"]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.pages]
SignIn = Callable[["User | None"], Client]
GOOD = {
    "name": "nightly",
    "kind": "leftovers",
    "every_seconds": "",
    "calendar": "0 7 * * MON-FRI",
    "time_zone": "Europe/Berlin",
    "payload": '{"days": 7}',
    "missed": "skip",
    "enabled": "on",
}
ADD = "/admin/workers/schedule/add/"


@pytest.fixture
def admin(world: World, sign_in: SignIn) -> Client:
    Schedule.objects.all().delete()
    return sign_in(world.admin)


def change_of(row: Schedule) -> str:
    return reverse("admin:workers_schedule_change", args=[row.pk])


def shown(client: Client, row: Schedule) -> dict[str, Any]:
    """What its form would send unchanged."""
    form = client.get(change_of(row)).context["adminform"].form
    sent: dict[str, Any] = {}
    for field in form:
        plain = field.value()
        if plain is not False and plain is not None:
            sent[field.html_name] = plain
        if field.field.show_hidden_initial:
            sent[field.html_initial_name] = "" if plain is None else plain
    return sent


def test_a_good_one_is_made_and_begins_at_its_next_time(admin: Client) -> None:
    answer = admin.post(ADD, GOOD)
    assert answer.status_code == 302, answer.context["errors"]
    made = Schedule.objects.get()
    assert (made.every_seconds, made.calendar, made.payload) == (0, "0 7 * * MON-FRI", {"days": 7})
    assert clock.now() < made.next_due_at < clock.now() + timedelta(days=4)
    assert Activity.objects.get(verb="schedule.created").subject == f"schedule:{made.pk}"


def test_one_of_a_pace_may_leave_the_rest_empty(admin: Client) -> None:
    sent = GOOD | {"every_seconds": "60", "calendar": "", "time_zone": "", "payload": ""}
    answer = admin.post(ADD, sent)
    assert answer.status_code == 302, answer.context["errors"]
    made = Schedule.objects.get()
    assert (made.every_seconds, made.time_zone, made.payload) == (60, "UTC", {})


@pytest.mark.parametrize(
    ("field", "changed", "said"),
    [
        ("calendar", {"calendar": "0 25 * * *"}, "The hour &quot;25&quot; cannot be read"),
        ("calendar", {"calendar": "@daily"}, "Five fields are needed"),
        ("calendar", {"calendar": "* " * 60}, "at most 100 characters"),
        ("time_zone", {"time_zone": "Europe/Berln"}, "Do you mean Europe/Berlin?"),
        ("kind", {"kind": "no.such"}, "No kind of job is named no.such."),
        ("calendar", {"every_seconds": "60"}, "Either a pace or a calendar"),
        ("every_seconds", {"calendar": ""}, "Something has to say when"),
        ("every_seconds", {"calendar": "", "every_seconds": "-1"}, "greater than or equal to 0"),
        ("every_seconds", {"calendar": "", "every_seconds": "31622401"}, "less than or equal to 31622400"),
        ("payload", {"payload": "[1]"}, "as a JSON object"),
        ("payload", {"payload": "7"}, "as a JSON object"),
        ("payload", {"payload": "{"}, "valid JSON"),
        ("payload", {"payload": '{"a": NaN}'}, "a number that no database keeps"),
        ("payload", {"payload": f'{{"a": {"9" * 5000}}}'}, "a number that no database keeps"),
        ("payload", {"payload": '{"a": "\\u0000"}'}, "a character that no database keeps"),
        ("payload", {"payload": '{"\\ud800": 1}'}, "a character that no database keeps"),
        ("payload", {"payload": '{"a": ' + "[" * 4000 + "]" * 4000 + "}"}, "nested too deeply"),
        ("payload", {"payload": '{"a": "' + "x" * 10_000 + '"}'}, "At most 10,000 characters"),
        ("name", {"name": "two words"}, "letters, numbers"),
        ("missed", {"missed": "some"}, "not one of the available choices"),
    ],
)
def test_bad_input_is_an_error_of_its_field_and_nothing_is_made(
    admin: Client, field: str, changed: dict[str, str], said: str
) -> None:
    answer = admin.post(ADD, GOOD | changed)
    assert answer.status_code == 200
    errors = answer.context["adminform"].form.errors
    assert set(errors) == {field} and said in str(errors[field])
    assert not Schedule.objects.exists()


@pytest.mark.parametrize(
    ("changed", "anew"),
    [
        ({"calendar": "0 8 * * *"}, True),
        ({"time_zone": "Asia/Tokyo"}, True),
        ({"calendar": "", "every_seconds": "90"}, True),
        ({"payload": '{"days": 8}'}, False),
        ({"missed": "all"}, False),
    ],
)
def test_a_change_of_when_counts_from_now_and_no_other_does(admin: Client, changed: dict[str, str], anew: bool) -> None:
    admin.post(ADD, GOOD)
    made = Schedule.objects.get()
    long_ago = clock.now() - timedelta(days=30)
    Schedule.objects.filter(pk=made.pk).update(next_due_at=long_ago)
    answer = admin.post(change_of(made), shown(admin, made) | changed)
    assert answer.status_code == 302, answer.context["errors"]
    made.refresh_from_db()
    assert (made.next_due_at > clock.now()) is anew
    if not anew:
        assert made.next_due_at == long_ago


def test_what_came_due_while_it_was_off_is_not_missed(admin: Client) -> None:
    admin.post(ADD, {name: value for name, value in GOOD.items() if name != "enabled"})
    made = Schedule.objects.get()
    Schedule.objects.filter(pk=made.pk).update(next_due_at=clock.now() - timedelta(days=30))
    answer = admin.post(change_of(made), shown(admin, made) | {"enabled": "on"})
    assert answer.status_code == 302, answer.context["errors"]
    assert schedules.run_due() == 0


def test_two_changes_that_fit_only_apart_are_refused_with_what_was_typed(admin: Client) -> None:
    admin.post(ADD, GOOD)
    made = Schedule.objects.get()
    typed = shown(admin, made) | {"calendar": "0 8 * * *"}
    # Another admin has made it one of a pace meanwhile.
    Schedule.objects.filter(pk=made.pk).update(every_seconds=60, calendar="")
    answer = admin.post(change_of(made), typed)
    assert answer.status_code == 200
    assert "It has changed since you opened it" in str(answer.context["adminform"].form.errors)
    assert answer.context["adminform"].form["calendar"].value() == "0 8 * * *"
    made.refresh_from_db()
    assert (made.every_seconds, made.calendar) == (60, "")


def test_one_of_an_unknown_kind_can_be_switched_off(admin: Client) -> None:
    made = Schedule.objects.create(name="old", kind="gone.kind", every_seconds=60)
    typed = shown(admin, made)
    typed.pop("enabled")
    answer = admin.post(change_of(made), typed)
    assert answer.status_code == 302, answer.context["errors"]
    made.refresh_from_db()
    assert (made.enabled, made.kind) == (False, "gone.kind")


def test_its_page_shows_the_next_five_due_times_in_its_zone(admin: Client) -> None:
    made = Schedule.objects.create(
        name="spring",
        kind="leftovers",
        calendar="30 2 * * *",
        time_zone="Europe/Berlin",
        next_due_at="2026-03-28T01:30:00Z",
    )
    page = admin.get(change_of(made)).content.decode()
    for line in ("Sat 2026-03-28 02:30:00 CET", "Sun 2026-03-29 03:00:00 CEST", "Wed 2026-04-01 02:30:00 CEST"):
        assert line in page
    assert "2026-04-02" not in page


class TestRunNow:
    def test_makes_one_job_says_so_and_leaves_the_due_time(self, admin: Client, world: World) -> None:
        admin.post(ADD, GOOD)
        made = Schedule.objects.get()
        address = reverse("admin:workers_schedule_do_run", args=[made.pk])
        said = admin.post(address, follow=True).content.decode()
        job = Job.objects.get()
        assert (job.kind, job.payload) == ("leftovers", {"days": 7}) and f"Job {job.pk} is queued." in said
        told = Activity.objects.get(verb="schedule.run")
        assert (told.actor_id, told.after) == (str(world.admin.pk), {"job": job.name})
        due = made.next_due_at
        made.refresh_from_db()
        assert made.next_due_at == due
        # Twice is once, while that job is on its way.
        assert "on its way already" in admin.post(address, follow=True).content.decode()
        assert (Job.objects.count(), Activity.objects.filter(verb="schedule.run").count()) == (1, 1)

    def test_of_an_unknown_kind_is_refused(self, admin: Client) -> None:
        made = Schedule.objects.create(name="old", kind="gone.kind", every_seconds=60)
        answer = admin.post(reverse("admin:workers_schedule_do_run", args=[made.pk]))
        assert answer.status_code == 409 and "there is nothing to run" in answer.content.decode()
        assert not Job.objects.exists()

    def test_is_for_admins(self, world: World, sign_in: SignIn) -> None:
        made = Schedule.objects.create(name="old", kind="leftovers", every_seconds=60)
        answer = sign_in(world.owner).post(reverse("admin:workers_schedule_do_run", args=[made.pk]))
        assert answer.status_code in {302, 403} and not Job.objects.exists()
