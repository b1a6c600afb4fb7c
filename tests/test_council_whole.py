"""A council from the question to the verdict, by real workers: two agents read, are merged, vote, and it ships."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from django.test import override_settings

from deployments import judging, places
from reviews.councils import asking, voting
from reviews.councils.subjects import Subject
from reviews.models import Council, Review, Vote
from reviews.queries import councils as queries
from tests import factories
from tests.engines.stack import Stack
from tests.reviews.chambers import document, members
from tests.tickets.workshop import Workshop

# Races of two turns that end at once are decided on PostgreSQL.
pytestmark = [pytest.mark.postgresql, pytest.mark.processes, pytest.mark.timeout(240)]
SECONDS = 120


@pytest.fixture(scope="module")
def stack(
    open_stack: Callable[..., AbstractContextManager[Stack]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("data")
    with override_settings(DATA_DIR=folder), open_stack(DATA_DIR=str(folder), LOOK_INTERVAL_SECONDS="1") as found:
        yield found


def _until(met: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + SECONDS
    while not met():
        assert time.monotonic() < end, what
        time.sleep(0.2)


def test_two_agents_are_asked_read_vote_and_the_commit_ships(stack: Stack, tmp_path: Path) -> None:
    world = factories.world()
    shop = Workshop(world.mc, tmp_path)
    commit = shop.commit("src/door.txt", "squeaks\n")
    places.set_policy(world.mc, severities=["critical"], valid_hours=24, expected_number=0, council=True)
    assert judging.now(world.mc, "main").answer == "do_not_ship"
    said = {"hawk": document("Ship.", "High"), "dove": document("Ship.", "Medium", "The sill rots")}
    agents = [shop.agent([["review", text], ["signal", "DONE", "It is written."]], name) for name, text in said.items()]
    for number in (1, 2):
        stack.worker("turns", number)
    stack.worker("short")
    subject = Subject(Council.About.BRANCH, "main")
    council = asking.ask(world.mc, subject, series_name="Doors", by=world.operator, agents=agents, imports=True)
    _until(lambda: Review.objects.filter(state="applied").count() == 2, "Both documents are imported.")
    _until(lambda: Vote.objects.count() == 2, "Both agents have voted.")
    council.refresh_from_db()
    assert (council.state, council.commit) == ("open", commit)
    assert [(member.label, member.state) for member in members(council)] == [("hawk", "answered"), ("dove", "answered")]
    found = queries.everything(council, world.reviewer).findings
    assert found.disputed[0].disputes == ["They grade it differently: hawk: important, dove: medium."]
    voting.close(council)
    assert (council.outcome, council.detail) == ("ship", "2 of 2 members voted: 2 ship.")
    verdict = judging.now(world.mc, "main")
    assert (verdict.answer, verdict.commit) == ("ship", commit)
    shop.commit("src/door.txt", "oiled\n")
    assert judging.now(world.mc, "main").answer == "do_not_ship"
