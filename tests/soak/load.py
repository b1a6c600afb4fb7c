"""Clients: each asks for work, asks again under the same key where nobody answered, and sees it to its end."""

from __future__ import annotations

import abc
import itertools
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from django.db import Error as DatabaseFailure
from django.db import connection

from portal.core.lifecycle import Refused
from tests.soak.doors import Api, NoAnswer, Pace, Person, Refusal
from tests.soak.history import History
from tests.soak.setting import AGENT, LANE, Setting
from workers import queue

T = TypeVar("T")
# Shorter than the time in which the same words are the same ticket.
ASK_AGAIN_SECONDS = 45
END_SECONDS = 150


class GaveUp(Exception):
    """It was asked for again and again, and nobody answered."""


class Client(threading.Thread, abc.ABC):
    """``over`` is set when nothing new should begin; what has begun is still seen to its end."""

    def __init__(self, name: str, history: History, seed: int, over: threading.Event) -> None:
        super().__init__(name=name, daemon=True)
        self.history = History(history.path, name)
        self.pace = Pace(seed, over)
        self.over = over
        self.done = 0
        self.trouble: list[str] = []

    def run(self) -> None:
        for number in itertools.count(1):
            if self.over.is_set():
                return
            try:
                self.turn(f"{self.name}-{number}")
                self.done += 1
            except GaveUp as given_up:
                self.history.write("gave_up", why=str(given_up))
            except Exception as problem:
                self.trouble.append(f"{self.name}: {type(problem).__name__}: {problem}"[:300])
                self.history.write("trouble", why=repr(problem)[:500])
                self.pace.rest(1)

    @abc.abstractmethod
    def turn(self, key: str) -> None:
        """Do one thing, of which ``key`` is the name."""

    def ask(self, what: str, key: str, act: Callable[[], T], *, seconds: float = ASK_AGAIN_SECONDS) -> T:
        """Ask until there is an answer. Raises ``Refusal``, or ``GaveUp`` after that time."""
        until = time.monotonic() + seconds
        self.history.write("asked", what=what, key=key)
        while True:
            try:
                answer = act()
            except NoAnswer as silence:
                self.history.write("unknown", what=what, key=key, why=str(silence))
                if time.monotonic() > until:
                    raise GaveUp(f"{what} {key}: {silence}") from None
                self.pace.rest(0.5)
                continue
            except Refusal as refusal:
                self.history.write("refused", what=what, key=key, why=str(refusal))
                raise
            self.history.write("acknowledged", what=what, key=key)
            return answer

    def see(self, what: str, look: Callable[[], T | None], *, seconds: float = END_SECONDS) -> T:
        """Look until it is so. Raises ``GaveUp``."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                found = look()
            except NoAnswer:
                found = None
            if found is not None:
                return found
            self.pace.rest(0.5)
        raise GaveUp(f"{what} did not come")


class Enqueuer(Client):
    """Enqueues jobs of every pool, in its own process, in the transaction that the row of the job commits with."""

    CYCLE: tuple[tuple[str, dict[str, Any], dict[str, Any]], ...] = (
        ("soak.short", {}, {}),
        ("soak.slow", {"seconds": 0.3}, {"lane": LANE}),
        ("soak.short", {"fails": 1}, {}),
        ("soak.slow", {"seconds": 0.5}, {"exclusive": True}),
        ("soak.turns", {"seconds": 0.2}, {"exclusive": True, "lane": LANE}),
        ("soak.slow", {"seconds": 0.6, "child": True}, {"exclusive": True}),
        ("soak.short", {}, {"exclusive": True}),
        ("soak.steps", {"seconds": 0.1}, {}),
    )

    def __init__(self, *given: Any, rest: float = 0.6, most_waiting: int = 40) -> None:
        super().__init__(*given)
        self.rest, self.most_waiting = rest, most_waiting
        self.turns = itertools.cycle(self.CYCLE)

    def run(self) -> None:
        super().run()
        connection.close()

    def turn(self, key: str) -> None:
        kind, payload, options = next(self.turns)
        # A portal that is being broken must not be buried as well.
        self.see("room", self._room)
        subject = f"soak:{self.pace.chance.randrange(6)}"

        def enqueue() -> None:
            try:
                queue.enqueue(kind, subject=subject, payload={"key": key, **payload}, unique_key=key, **options)
            except (DatabaseFailure, Refused) as failure:
                connection.close()
                raise NoAnswer(type(failure).__name__) from None

        self.ask("job", key, enqueue)
        self.pace.rest(self.rest)

    def _room(self) -> bool | None:
        from workers.models import Job

        try:
            waiting = Job.objects.filter(state="queued", kind__startswith="soak.").count()
        except DatabaseFailure as failure:
            connection.close()
            raise NoAnswer(type(failure).__name__) from None
        return True if waiting < self.most_waiting else None


class Worker(Client):
    """Opens a ticket, writes to it, assigns the agent, accepts the work, and sees it merged."""

    def __init__(self, *given: Any, base_url: str, setting: Setting, person: Person) -> None:
        super().__init__(*given)
        self.setting, self.person = setting, person
        self.operator = Api(base_url, setting.operator)
        self.reviewer = Api(base_url, setting.reviewer)
        self.opened: list[str] = []

    def turn(self, key: str) -> None:
        title = f"Soak {key}"
        ticket = self.ask("ticket", title, lambda: self.person.open_ticket(self.setting.project.key, title))
        self.opened.append(ticket)
        for number in (1, 2):
            body = {"body": f"Mind this, {number}.", "idempotency_key": f"{key}-{number}"}
            self.ask("message", f"{key}-{number}", lambda body=body: self._post(ticket, "messages", body))
        self.ask("turn", ticket, lambda: self._move(ticket, self.operator, "assign", {"agent": AGENT}))
        self.see(f"{ticket} in review", lambda: self._is(ticket, {"in_review"}))
        self.ask(
            "merge", ticket, lambda: self._move(ticket, self.reviewer, "accept", {"reason": "It is as it was asked."})
        )
        self.see(f"{ticket} done", lambda: self._is(ticket, {"done"}))
        self.pace.rest(2)

    def _post(self, ticket: str, what: str, body: dict[str, Any]) -> Any:
        return self.operator.post(f"/tickets/{ticket}/{what}", body)

    def _move(self, ticket: str, api: Api, verb: str, body: dict[str, Any]) -> None:
        """A change under a version: where nobody answered, the ticket itself says whether it was done."""
        now = api.get(f"/tickets/{ticket}")
        if verb not in now["allowed"]:
            # An earlier try went through.
            return
        try:
            api.post(f"/tickets/{ticket}/{verb}", {"version": now["version"], **body})
        except Refusal as refusal:
            if refusal.status == 409:
                # It moved between the two: look again.
                raise NoAnswer("409") from None
            raise

    def _is(self, ticket: str, states: set[str]) -> str | None:
        state: str = self.operator.get(f"/tickets/{ticket}")["state"]
        if state in {"failed", "blocked", "unproven", "open"}:
            raise RuntimeError(f"{ticket} is {state}")
        return state if state in states else None


class Releaser(Client):
    """Asks for a deployment of what the target branch is, and sees it through."""

    def __init__(self, *given: Any, base_url: str, setting: Setting, rest: float) -> None:
        super().__init__(*given)
        self.setting, self.rest = setting, rest
        self.api = Api(base_url, setting.releaser)
        self.answered = 0

    def turn(self, key: str) -> None:
        number = str(self._ask(key))
        self.history.write("asked", what="deployment", key=number)
        self.history.write("acknowledged", what="deployment", key=number)
        self.see(f"deployment {number}", lambda: self._end(number))
        self.pace.rest(self.rest)

    def _ask(self, key: str) -> int:
        """No key is sent: where nobody answered, the newest one that lives is this one."""
        path = f"/projects/{self.setting.project.key}/deployments"
        body = {"service": self.setting.service, "environment": self.setting.environment, "asked": "main"}

        def act() -> int:
            listed = self.api.get(f"/deployments?project={self.setting.project.key}&limit=5")["items"]
            live = [row["number"] for row in listed if row["ended_at"] is None]
            return int(live[0] if live else self.api.post(path, body)["number"])

        until = time.monotonic() + ASK_AGAIN_SECONDS
        while True:
            try:
                return act()
            except NoAnswer as silence:
                if time.monotonic() > until:
                    raise GaveUp(f"deployment {key}: {silence}") from None
                self.pace.rest(0.5)

    def _end(self, number: str) -> bool | None:
        found = self.api.get(f"/deployments/{number}")
        waits = found.get("interruption")
        if waits and found["state"] == "interrupted":
            self.answered += 1
            body = {"interruption": waits["number"], "choice": "retry", "reason": "Again."}
            try:
                self.api.post(f"/deployments/{number}/answer", body)
            except Refusal as refusal:
                if refusal.status != 409:
                    raise
            return None
        return True if found["ended_at"] is not None else None
