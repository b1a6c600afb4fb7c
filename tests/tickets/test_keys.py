"""The keys that documents give: adopted, linked, kept as second names; never stolen, never doubled."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal.core import identifiers
from portal.core.models import Activity
from tests.factories import project
from tests.workers.racing import race
from tickets import keys
from tickets.keys import Keys
from tickets.models import KeyAlias, Project, ProjectCounter, Ticket
from tickets.work import create_ticket

if TYPE_CHECKING:
    from tests.factories import World


def made(world: World, key: str, **options: Any) -> str:
    ticket, _ = keys.create_with_key(world.mc, key, title=f"For {key}", **options)
    return ticket.key


def last(world: World) -> int:
    return ProjectCounter.objects.get(pk=world.mc.pk).last


@pytest.mark.django_db
class TestChoosing:
    def test_a_key_that_nobody_ever_had_is_adopted_and_numbers_go_on_above_it(self, world: World) -> None:
        assert made(world, "MC-294") == "MC-294"
        assert (last(world), create_ticket(world.mc, title="Next").key) == (294, "MC-295")

    def test_keys_that_an_adoption_skipped_are_still_free(self, world: World) -> None:
        assert [made(world, key) for key in ("MC-306", "MC-294", "MC-295")] == ["MC-306", "MC-294", "MC-295"]
        assert create_ticket(world.mc, title="Next").key == "MC-307"

    def test_a_key_that_the_project_has_is_linked_and_nothing_is_made(self, world: World) -> None:
        there = create_ticket(world.mc, title="There")
        ticket, chosen = keys.create_with_key(world.mc, "MC-1", title="Another")
        assert (ticket.pk, chosen.keys, Ticket.objects.count()) == (there.pk, Keys.LINK, 1)

    def test_the_number_of_a_deleted_ticket_is_never_given_again(self, world: World) -> None:
        for key in ("MC-7", "MC-3"):
            keys.create_with_key(world.mc, key, title="Gone")[0].delete()
        assert keys.choice(world.mc, "MC-3").keys == Keys.REFUSE
        assert [made(world, key) for key in ("MC-3", "MC-7")] == ["MC-8", "MC-9"]

    def test_a_key_of_another_project_is_a_second_name_and_that_project_keeps_its_own(self, world: World) -> None:
        other = project("XX", "Another")
        theirs = create_ticket(other, title="Theirs")
        assert made(world, "XX-1") == "MC-1"
        assert made(world, "YY-5") == "MC-2"
        assert keys.find_by_name("XX-1") == theirs, "its own key is surer than a second name"
        assert keys.find_by_name("XX-1", world.mc) == Ticket.objects.get(key="MC-1")
        assert keys.find_by_name(" yy-5 ") == Ticket.objects.get(key="MC-2")
        assert ProjectCounter.objects.get(pk=other.pk).last == 1
        assert Activity.objects.filter(verb="ticket.named", subject="ticket:MC-2").exists()

    def test_a_second_name_names_one_ticket_of_a_project(self, world: World) -> None:
        assert [made(world, "YY-5"), made(world, "YY-5")] == ["MC-1", "MC-2"]
        assert KeyAlias.objects.get().ticket.key == "MC-1"
        assert "second name of MC-1" in keys.choice(world.mc, "YY-5").reason

    def test_a_second_name_of_two_projects_finds_neither(self, world: World) -> None:
        made(world, "YY-5")
        keys.create_with_key(project("XX", "Another"), "YY-5", title="Theirs")
        assert keys.find_by_name("YY-5") is None
        assert keys.find_by_name("YY-5", world.mc) is not None

    @pytest.mark.parametrize(
        "key", ["", "MC", "MC-0", "MC-007", "mc-7", "MC-7 ", "MC-٧", "MC-1e3", "M-1", "MC-" + "9" * 30]
    )
    def test_what_is_no_key_gives_a_number_of_its_own(self, world: World, key: str) -> None:
        assert keys.choice(world.mc, key).keys == Keys.REFUSE
        assert made(world, key) == "MC-1"

    def test_a_typo_does_not_carry_the_counter_away(self, world: World, settings: Any) -> None:
        settings.LIMITS = settings.LIMITS | {"KEY_AHEAD_NUMBERS": 100}
        create_ticket(world.mc, title="One")
        assert keys.choice(world.mc, "MC-101").keys == Keys.ADOPT
        assert keys.choice(world.mc, "MC-102").keys == Keys.REFUSE
        assert made(world, "MC-20260407") == "MC-2"

    def test_no_number_is_above_what_a_column_holds(self, world: World, settings: Any) -> None:
        settings.LIMITS = settings.LIMITS | {"KEY_AHEAD_NUMBERS": 1_000_000_000}
        ProjectCounter.objects.filter(pk=world.mc.pk).update(last=2_000_000_000)
        assert keys.choice(world.mc, "MC-2147483648").keys == Keys.REFUSE

    def test_without_the_documents_keys_only_links_stay(self, world: World) -> None:
        create_ticket(world.mc, title="There")
        found = [made(world, key, adopting=False) for key in ("MC-1", "MC-294", "YY-5")]
        assert found == ["MC-1", "MC-2", "MC-3"]
        assert not KeyAlias.objects.exists()

    def test_many_keys_cost_what_one_costs(self, world: World) -> None:
        for count in (1, 50):
            with CaptureQueriesContext(connection) as cost:
                found = keys.choices(world.mc, [f"MC-{n}" for n in range(1, count + 1)])
            assert len(cost) <= 4 and len(found) == count

    def test_the_first_key_of_a_text_is_found(self) -> None:
        assert [keys.named_in(text) for text in ("MC-291 (talks)", "see [MC-4](x)", "XMC-4a", "no")] == [
            "MC-291",
            "MC-4",
            "",
            "",
        ]


@pytest.mark.django_db
class TestRaising:
    def test_a_counter_is_raised_and_never_lowered(self, world: World) -> None:
        assert identifiers.raise_to(ProjectCounter, pk=world.mc.pk, number=10)
        assert not identifiers.raise_to(ProjectCounter, pk=world.mc.pk, number=10)
        assert not identifiers.raise_to(ProjectCounter, pk=world.mc.pk, number=4)
        assert last(world) == 10


def _adopt_or_create(pk: int, seed: int, times: int) -> list[tuple[str, str]]:
    """What each call asked for and got; a key that another adopted meanwhile is linked."""
    of, chance, found = Project.objects.get(pk=pk), random.Random(seed), []
    for _ in range(times):
        if chance.random() < 0.5:
            found.append(("", create_ticket(of, title="x").key))
        else:
            key = f"MC-{chance.randint(1, 60)}"
            ticket, chosen = keys.create_with_key(of, key, title="y")
            found.append((key if chosen.keys == Keys.LINK else "", ticket.key))
    return found


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_adopting_steals_no_number_and_doubles_none(self, world: World, engine: str) -> None:
        processes, times = (16, 12) if engine == "postgresql" else (4, 12)
        said = race(_adopt_or_create, [(world.mc.pk, seed, times) for seed in range(processes)])
        made = Counter(key for mine in said for asked, key in mine if not asked)
        assert set(made.values()) == {1}, "each number went to one"
        assert set(made) == set(Ticket.objects.values_list("key", flat=True))
        assert all(asked == key and key in made for mine in said for asked, key in mine if asked), "linked as asked"
        assert last(world) >= max(ticket.number for ticket in Ticket.objects.all())

    def test_tickets_of_many_processes_are_numbered_without_a_gap(self, world: World, engine: str) -> None:
        processes, each = (64, 3) if engine == "postgresql" else (8, 5)
        said = race(_create, [(world.mc.pk, each)] * processes, seconds=110)
        numbers = sorted(n for mine in said for n in mine)
        assert numbers == list(range(1, processes * each + 1))


def _create(pk: int, times: int) -> list[int]:
    of = Project.objects.get(pk=pk)
    return [create_ticket(of, title="x").number for _ in range(times)]
