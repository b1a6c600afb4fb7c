"""The replay protocol against a model: any order of commits, prunings, restores, losses and reconnects.

The server's side is built of the same pure parts as the hub (``resumes``,
``gapless``, ``Watch``, ``Mailbox``); the model is a list and a number.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from portal.live import frames
from portal.live.cursor import NEW, NO_STREAM, NOWHERE, Cursor, Position, gapless, parse, resumes, same_life
from portal.live.fanout import Mailbox, Watch

pytestmark = pytest.mark.once
NAME = "room:1"


@dataclass
class Stored:
    """The stream in the database, and the facts that its events point at: fact n is that of event n."""

    epoch: str = NEW
    head: int = 0
    floor: int = 0
    facts: list[int] = field(default_factory=list)

    @property
    def at(self) -> Position:
        return Position(self.epoch, self.head, self.floor)

    def rows(self, after: int, limit: int) -> list[int]:
        return [n for n in range(max(after, self.floor) + 1, self.head + 1)][:limit]


@dataclass
class Page:
    """A browser: it shows facts; an event brings the next one, a resync all of them anew."""

    shows: list[int]
    cursor: str
    box: Mailbox | None = None
    # A page that reads all anew may already have what the next events point at.
    read_to: Cursor = NOWHERE

    def hear(self, message: frames.Message, stored: Stored) -> None:
        frame = json.loads(message["text"])
        if frame["type"] == "event":
            before, now = parse(self.cursor), parse(frame["cursor"])
            assert now.number == before.number + 1, f"{self.cursor} -> {frame['cursor']}"
            assert now.epoch == before.epoch or before == NO_STREAM.now
            if now.epoch != self.read_to.epoch or now.number > self.read_to.number:
                self.shows.append(frame["version"])
        elif frame["type"] == "resync":
            self.shows, self.read_to = list(stored.facts), stored.at.now
        self.cursor = frame["cursor"]


class Replay(RuleBasedStateMachine):
    @initialize(limit=st.integers(4, 8))
    def start(self, limit: int) -> None:
        self.limit = limit
        self.stored = Stored()
        self.watch: Watch | None = None
        self.pages: list[Page] = []
        self.lives = 0
        self.facts = 0

    # The world --------------------------------------------------------------

    @rule(count=st.integers(1, 12))
    def commit(self, count: int) -> None:
        if self.stored.epoch == NEW:
            self.renew()
        for _ in range(count):
            self.stored.head += 1
            self.facts += 1
            self.stored.facts.append(self.facts)

    @precondition(lambda self: self.stored.epoch != NEW)
    @rule(share=st.floats(0, 1))
    def prune(self, share: float) -> None:
        self.stored.floor = max(self.stored.floor, int(self.stored.head * share))

    @precondition(lambda self: self.stored.epoch != NEW)
    @rule(lost=st.integers(0, 3))
    def restore(self, lost: int) -> None:
        """A backup comes back: what was lost never happened; its numbers are given out again, in another life."""
        self.stored.head = max(self.stored.floor, self.stored.head - lost)
        del self.stored.facts[self.stored.head :]
        self.renew()

    def renew(self) -> None:
        self.lives += 1
        self.stored.epoch = f"life{self.lives}"

    # Pages ------------------------------------------------------------------

    @precondition(lambda self: len(self.pages) < 4)
    @rule()
    def render(self) -> None:
        self.pages.append(Page(list(self.stored.facts), str(self.stored.at.now)))

    @precondition(lambda self: self.pages)
    @rule(data=st.data())
    def reconnect(self, data: st.DataObject) -> None:
        self.follow(data.draw(st.sampled_from(self.pages)))

    def follow(self, page: Page) -> None:
        """As ``Hub.follow`` does; what was under way on a former socket is gone."""
        self.leave(page)
        box = page.box = Mailbox(self.limit)
        have, at = parse(page.cursor), self.stored.at
        if resumes(have, at):
            have = Cursor(at.epoch, have.number)
            page.hear(frames.following(NAME, have), self.stored)
        else:
            have = at.now
            page.hear(frames.resync(NAME, have), self.stored)
        if self.watch is not None and not same_life(self.watch.cursor, have):
            have = self.watch.cursor
            page.hear(frames.resync(NAME, have), self.stored)
        goal = self.watch.cursor.number if self.watch else at.head
        while have.number < goal:
            rows = self.stored.rows(have.number, 3)
            if not gapless(have.number, rows) or not rows:
                have = self.stored.at.now
                page.hear(frames.resync(NAME, have), self.stored)
                continue
            for n in rows:
                have = Cursor(self.stored.epoch, n)
                page.hear(self.event(have), self.stored)
        if self.watch is None:
            self.watch = Watch(NAME, have)
        self.watch.join(box, have)

    @precondition(lambda self: self.pages)
    @rule(data=st.data())
    def disconnect(self, data: st.DataObject) -> None:
        self.leave(data.draw(st.sampled_from(self.pages)))

    @precondition(lambda self: self.pages)
    @rule(data=st.data(), count=st.integers(1, 9))
    def read(self, data: st.DataObject, count: int) -> None:
        """The socket takes some frames; when its box is empty it learns what it lost."""
        page = data.draw(st.sampled_from(self.pages))
        if page.box is not None:
            self.pump(page, page.box, count)

    def pump(self, page: Page, box: Mailbox, count: int) -> None:
        for _ in range(count):
            if not box.frames and NAME in box.lost and self.watch:
                self.watch.admit_loss(box)
            if box.frames:
                page.hear(box.frames.popleft(), self.stored)

    def leave(self, page: Page) -> None:
        if self.watch is not None and page.box is not None:
            self.watch.leave(page.box)
            if not self.watch.readers:
                self.watch = None
        page.box = None

    # The tailer -------------------------------------------------------------

    @rule(page_size=st.integers(1, 6))
    def look(self, page_size: int) -> None:
        self.tail(page_size)

    def tail(self, page_size: int) -> None:
        if self.watch is None:
            return
        have, at = self.watch.cursor, self.stored.at
        if not resumes(have, at):
            self.watch.move(at.now, frames.resync(NAME, at.now))
            return
        for n in self.stored.rows(have.number, page_size):
            cursor = Cursor(at.epoch, n)
            self.watch.deliver(cursor, self.event(cursor))

    def event(self, cursor: Cursor) -> frames.Message:
        return frames.item("event", NAME, cursor, {"version": self.stored.facts[cursor.number - 1]})

    @invariant()
    def boxes_are_bounded(self) -> None:
        for page in getattr(self, "pages", []):
            assert page.box is None or len(page.box.frames) <= self.limit + 1

    def teardown(self) -> None:
        """When all is quiet, every page shows all that ever happened."""
        for page in getattr(self, "pages", []):
            if page.box is None:
                self.follow(page)
        for _ in range(60):
            for page in getattr(self, "pages", []):
                self.tail(6)
                if page.box is not None:
                    self.pump(page, page.box, 50)
        for page in getattr(self, "pages", []):
            assert page.shows == self.stored.facts
            assert parse(page.cursor) == self.stored.at.now


Replay.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestReplay = Replay.TestCase


def test_what_is_no_cursor_is_nowhere():
    wrong = [
        "",
        ":",
        "a:",
        ":1",
        "a:-1",
        "a:01",
        "a:1 ",
        " a:1",
        "a:1\n",
        "a:1:2",
        "a/b:1",
        f"a:{2**63}",
        None,
        3,
        ["a:1"],
    ]
    assert {parse(text) for text in wrong} == {NOWHERE}
    assert parse("3f2a0b1c:12") == Cursor("3f2a0b1c", 12)
    assert parse(f"e:{2**63 - 1}").number == 2**63 - 1
    assert str(parse("-:0")) == "-:0"


def test_nowhere_is_never_believed():
    assert not any(resumes(NOWHERE, at) for at in (NO_STREAM, Position("a", 5), Position("a", 0)))
