"""The checker notices each way in which a history can be wrong, and says nothing of a right one."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.soak import checker, verdict
from tests.soak.checker import Findings

pytestmark = pytest.mark.once
Line = dict[str, Any]
Case = tuple[list[Line], dict[str, Any]]


def line(event: str, mono: float, **fields: Any) -> Line:
    return {"event": event, "who": "test", "pid": 1, "at": 1000.0 + mono, "mono": mono, **fields}


def asked(what: str, key: str, answer: str = "acknowledged") -> list[Line]:
    return [line("asked", 1, what=what, key=key), line(answer, 2, what=what, key=key)]


def attempt(job: int, fence: int, outcome: str, started: float, ended: float | None) -> dict[str, Any]:
    worker = f"short@here:{100 + fence}:7"
    return {"job": job, "fence": fence, "outcome": outcome, "worker": worker, "started": started, "ended": ended}


def mark(number: int, verb: str, job: int, fence: int, final: bool = False) -> dict[str, Any]:
    return {"id": number, "verb": verb, "job": job, "fence": fence, "final": final}


def right() -> Case:
    """A worker was killed in job 1; job 2 is of the same subject; a ticket was worked on by two agents in turn."""
    job = {"kind": "soak.short", "state": "succeeded", "subject": "door", "exclusive": True, "error": ""}
    history = [
        *asked("job", "one"),
        *asked("job", "two"),
        *asked("job", "nobody-knows", "unknown"),
        *asked("message", "m1"),
        *asked("ticket", "Soak 1"),
        *asked("turn", "MC-1"),
        *asked("merge", "MC-1"),
        *asked("deployment", "4"),
        line("effect", 5, key="one"),
        line("effect", 7, key="two"),
        line("step", 8, key="4/1"),
        *(line("agent", at, subject="ticket:MC-1", run="first") for at in (3.0, 3.1, 3.2)),
        *(line("agent", at, subject="ticket:MC-1", run="second") for at in (4.0, 4.1)),
        line("following", 1, reader="r", stream="s", epoch="-", number=0),
        *(line("read", 1 + n, reader="r", stream="s", epoch="e", number=n) for n in (1, 2)),
        line("following", 3.5, reader="r", stream="s", epoch="e", number=2),
        line("read", 4, reader="r", stream="s", epoch="e", number=3),
    ]
    rows = {
        "jobs": [{"id": 1, "key": "one", **job}, {"id": 2, "key": "two", **job}],
        "attempts": [
            attempt(1, 1, "lost", 1000, 1004),
            attempt(1, 2, "succeeded", 1005, 1006),
            attempt(2, 1, "succeeded", 1006, 1007),
        ],
        "lane_slots": [{"lane": "soak", "n": 1, "job": None}],
        "subject_slots": [],
        "ticks": [{"schedule": 1, "due": "12:00", "job": 2}, {"schedule": 1, "due": "12:01", "job": 2}],
        "marks": [
            mark(1, "began", 1, 1),
            mark(2, "settled", 1, 1),
            mark(3, "began", 1, 2),
            mark(4, "wrote", 1, 2),
            mark(5, "settled", 1, 2, final=True),
            mark(6, "began", 2, 1),
            mark(7, "settled", 2, 1, final=True),
        ],
        "streams": {"s": 3},
        "tickets": [{"key": "MC-1", "title": "Soak 1", "state": "done"}],
        "turns": [{"ticket": "MC-1", "seq": 1, "state": "done"}],
        "messages": [{"ticket": "MC-1", "number": 1, "key": "m1", "taken": 2, "read": True, "live": 1}],
        "landed": {"MC-1": 1},
        "deployments": [{"number": 4, "state": "succeeded"}],
        "steps": [{"key": "4/1", "state": "succeeded", "counted": True}],
    }
    return history, rows


def drop(history: list[Line], event: str, **fields: Any) -> None:
    history[:] = [row for row in history if row["event"] != event or any(row.get(k) != v for k, v in fields.items())]


def again(history: list[Line], event: str, **fields: Any) -> None:
    history += [dict(row) for row in history if row["event"] == event and all(row[k] == v for k, v in fields.items())]


def put(rows: list[dict[str, Any]], n: int, **fields: Any) -> None:
    rows[n] |= fields


# What is done to a right history, where it has to be said, and a word of the sentence.
WRONG: dict[str, tuple[Callable[[list[Line], dict[str, Any]], Any], str, str]] = {
    "an effect is missing": (lambda h, r: drop(h, "effect", key="one"), "lost", "job one: acknowledged"),
    "an effect came twice": (lambda h, r: again(h, "effect", key="two"), "doubled", "job two: 2 times"),
    "an unknown one came twice": (
        lambda h, r: h.extend([line("effect", 5, key="nobody-knows")] * 2),
        "doubled",
        "nobody-knows: 2 times",
    ),
    "an effect that nobody asked for": (lambda h, r: h.append(line("effect", 5, key="x")), "broken", "nobody asked"),
    "an effect after a refusal": (
        lambda h, r: h.extend([*asked("job", "no", "refused"), line("effect", 5, key="no")]),
        "broken",
        "no: refused, and there",
    ),
    "a job has no row": (lambda h, r: r["jobs"].pop(1), "lost", "no row of it succeeded"),
    "a job is dead": (lambda h, r: put(r["jobs"], 1, state="dead", error="boom"), "broken", "is dead: boom"),
    "a job waits": (lambda h, r: put(r["jobs"], 1, state="queued"), "broken", "is still queued"),
    "an attempt runs": (
        lambda h, r: put(r["attempts"], 2, outcome="running", ended=None),
        "broken",
        "attempt 1 of job 2 is still running",
    ),
    "its end was told twice": (lambda h, r: r["marks"].append(mark(9, "settled", 2, 1, True)), "doubled", "settled 2"),
    "its end was told to nobody": (lambda h, r: r["marks"].pop(), "lost", "nothing was settled"),
    "an attempt began twice": (lambda h, r: r["marks"].append(mark(9, "began", 2, 1)), "doubled", "it began 2 times"),
    "a stale worker wrote after its end": (
        lambda h, r: r["marks"].append(mark(9, "wrote", 1, 1)),
        "broken",
        "attempt 1 of job 1 wrote after its end",
    ),
    "a stale worker wrote between": (
        lambda h, r: r["marks"].__setitem__(slice(1, 4), [mark(2, "began", 1, 2), mark(3, "wrote", 1, 1)]),
        "broken",
        "attempt 1 of job 1 wrote after another had begun",
    ),
    "two of a subject ran at once": (
        lambda h, r: put(r["attempts"], 2, started=1005.5),
        "broken",
        "subject door: attempt 1 of job 2 began before attempt 2 of job 1 had ended",
    ),
    "a fence fell": (
        lambda h, r: (put(r["attempts"], 0, fence=3), put(r["attempts"], 1, fence=2)),
        "broken",
        "job 1: attempt 2 of job 1 follows attempt 3",
    ),
    "two agents lived at once": (
        lambda h, r: h.append(line("agent", 4.05, subject="ticket:MC-1", run="first")),
        "broken",
        "two agents lived at once",
    ),
    "a lane is held": (lambda h, r: put(r["lane_slots"], 0, job=1), "broken", "lane soak is still held by job 1"),
    "a subject is held": (
        lambda h, r: r["subject_slots"].append({"subject": "door", "job": 1}),
        "broken",
        "subject door is still held",
    ),
    "the clock ticked twice": (lambda h, r: put(r["ticks"], 1, due="12:00"), "broken", "has ticked twice for 12:00"),
    "a reader missed one": (lambda h, r: drop(h, "read", number=2), "broken", "r saw 3 of s after 1"),
    "a reader saw one twice": (
        lambda h, r: h.append(line("read", 4.5, reader="r", stream="s", epoch="e", number=3)),
        "broken",
        "r saw 3 of s after 3",
    ),
    "a reader did not come to the end": (
        lambda h, r: r["streams"].update(s=4),
        "broken",
        "has seen 3 of s, whose head",
    ),
    "a reader was sent back": (
        lambda h, r: h.append(line("resync", 4.5, reader="r", stream="s", epoch="e", number=3)),
        "broken",
        "told to read s anew",
    ),
    "a stream began another life": (
        lambda h, r: put(h, -1, epoch="f"),
        "broken",
        "the epoch of s went from e to f",
    ),
    "a message is gone": (lambda h, r: r["messages"].clear(), "lost", "message m1: acknowledged, and not there"),
    "a message is there twice": (
        lambda h, r: r["messages"].append({**r["messages"][0], "number": 2}),
        "doubled",
        "message m1: 2 times",
    ),
    "a message has a hole before it": (
        lambda h, r: put(r["messages"], 0, number=2),
        "broken",
        "the messages of MC-1 are numbered [2]",
    ),
    "a message was taken and not read": (lambda h, r: put(r["messages"], 0, read=False), "lost", "none has read it"),
    "two turns have a message": (lambda h, r: put(r["messages"], 0, live=2), "doubled", "2 turns have it at once"),
    "a ticket is gone": (lambda h, r: put(r["tickets"], 0, title="Other"), "lost", "ticket Soak 1: acknowledged"),
    "a ticket is there twice": (
        lambda h, r: r["tickets"].append({"key": "MC-2", "title": "Soak 1", "state": "open"}),
        "doubled",
        "ticket Soak 1: 2 times",
    ),
    "a turn got stuck": (lambda h, r: put(r["tickets"], 0, state="running"), "lost", "turn of MC-1: it was assigned"),
    "a turn runs over nothing": (lambda h, r: put(r["turns"], 0, state="running"), "broken", "runs over no job"),
    "a merge is not there": (lambda h, r: r["landed"].clear(), "lost", "merge of MC-1: acknowledged, and not there"),
    "a merge is there twice": (lambda h, r: r["landed"].update({"MC-1": 2}), "doubled", "merge of MC-1: 2 times"),
    "a merge that nobody accepted": (
        lambda h, r: (
            r["tickets"].append({"key": "MC-2", "title": "Other", "state": "in_review"}),
            r["landed"].update({"MC-2": 1}),
        ),
        "broken",
        "merge of MC-2: nobody accepted it",
    ),
    "a deployment failed": (lambda h, r: put(r["deployments"], 0, state="failed"), "lost", "deployment 4: asked for"),
    "a step was left out": (lambda h, r: drop(h, "step"), "lost", "step 4/1: acknowledged, and not there"),
    "a step was done twice": (lambda h, r: again(h, "step", key="4/1"), "doubled", "step 4/1: 2 times"),
}


def test_a_right_history_is_right() -> None:
    history, rows = right()
    assert checker.check(history, rows) == Findings(acknowledged=7)


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_history_is_noticed_where(name: str) -> None:
    history, rows = copy.deepcopy(right())
    spoil, where, words = WRONG[name]
    spoil(history, rows)
    found = checker.check(sorted(history, key=lambda row: float(row["mono"])), rows)
    sentences = getattr(found, where)
    assert any(words in sentence for sentence in sentences), found
    assert not found.ok


def test_the_longest_recovery_is_from_the_fault_to_the_next_attempt_of_what_it_held() -> None:
    history, rows = right()
    assert verdict.longest_recovery(history, rows) == 0.0
    history.append(line("fault", 2.5, kind="SIGKILL", name="short1", struck=101))
    assert verdict.longest_recovery(history, rows) == 2.5
    history += [line("fault", 5.0, kind="store killed", name="store"), line("healed", 5.5, kind="x", name="store")]
    assert verdict.longest_recovery(history, rows) == 2.5


def judged(**more: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"faults": {}, "failpoints": {}, "orphans": {}, "deadlocks": 0, "trouble": [], "void": []}
    return verdict.verdict(Findings(acknowledged=7), **given | more)


def test_a_verdict_is_ok_only_where_nothing_speaks_against_it() -> None:
    assert judged()["ok"] is True
    assert judged(orphans={7: "sleep 300"})["ok"] is False
    assert judged(deadlocks=1)["ok"] is False
    assert judged(trouble=["a client waits"])["ok"] is False
    void = judged(void=["it never happened: web killed"])
    assert (void["ok"], void["void"]) == (False, "it never happened: web killed")
    bad = verdict.verdict(
        Findings(lost=["a", "b"], doubled=["c"]), faults={}, failpoints={}, orphans={}, deadlocks=0, trouble=[], void=[]
    )
    assert (bad["ok"], bad["lost"], bad["doubled"], bad["said"]) == (False, 2, 1, ["a", "b", "c"])
