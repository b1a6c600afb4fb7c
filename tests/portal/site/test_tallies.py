"""The numbers of the navigation: of the reader's own projects, bounded, one query."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from portal.site.tallies import tallies
from workers.models import Job, JobState

if TYPE_CHECKING:
    from tests.factories import World

Fill = Callable[[int], None]


def test_each_number_counts_what_lies_behind_its_entry(world: World, fill: Fill) -> None:
    fill(2)
    for user in (world.admin, world.viewer):
        found = {url: (tally.text, tally.words) for url, tally in tallies(user).items()}
        assert found == {
            "/": ("18", "waiting for a person"),
            "/tickets/": ("18", "not done"),
            "/reviews/": ("2", "to decide"),
            "/deployments/": ("2", "held or under way"),
            "/workers/": ("2", "dead"),
        }


def test_nothing_is_counted_of_projects_of_others(world: World, fill: Fill) -> None:
    fill(1)
    assert tallies(world.outsider) == {}


def test_a_number_stops_at_its_bound(world: World) -> None:
    Job.objects.bulk_create(Job(kind="sample", pool="short", state=JobState.DEAD) for _ in range(99))
    assert tallies(world.admin)["/workers/"].text == "99"
    Job.objects.create(kind="sample", pool="short", state=JobState.DEAD)
    assert tallies(world.admin)["/workers/"].text == "99+"
    assert tallies(world.admin)["/"].text == "99+"


def test_all_numbers_cost_one_query(world: World, fill: Fill, django_assert_num_queries: Any) -> None:
    fill(3)
    tallies(world.viewer)
    with django_assert_num_queries(1):
        tallies(world.viewer)


def test_a_page_shows_them_and_says_what_they_count(world: World, fill: Fill, client: Any) -> None:
    fill(1)
    client.force_login(world.viewer, "allauth.account.auth_backends.AuthenticationBackend")
    page = client.get("/status/").content.decode()
    assert 'Tickets<span class="n" title="9 not done">9<span class="vh"> not done</span></span>' in page
    assert "Shiproom " in page and "Schema matches" in page


def test_what_is_said_of_the_schema_stands_on_no_form_of_the_admin(world: World, client: Any) -> None:
    client.force_login(world.admin, "allauth.account.auth_backends.AuthenticationBackend")
    assert "Schema matches" in client.get("/status/").content.decode()
    assert 'class="standing"' not in client.get("/admin/workers/agent/add/").content.decode()
