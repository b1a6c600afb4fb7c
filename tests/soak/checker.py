"""The checker: a history and the rows that were left, held against what was promised. Free of Django.

Work is *asked* for under a key, and then *acknowledged*, *refused* or left
*unknown* where no answer came. What was acknowledged must have had its one
effect; what is unknown may have had it or not; nothing may have had it twice.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

Line = dict[str, Any]
Rows = dict[str, Any]
LIVE = {"queued", "running"}


@dataclass(slots=True)
class Findings:
    """Sentences. ``lost`` and ``doubled`` speak of work, ``broken`` of everything else that was promised."""

    acknowledged: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not (self.lost or self.doubled or self.broken)


def check(history: list[Line], rows: Rows) -> Findings:
    """Hold all of it against all rules."""
    found = Findings()
    asked = _asked(history)
    found.acknowledged = sum(answer == "acknowledged" for answers in asked.values() for answer in answers.values())
    _jobs(found, asked["job"], history, rows)
    _messages(found, asked["message"], rows)
    _tickets(found, asked, rows)
    _deployments(found, asked["deployment"], history, rows)
    found.broken += _at_rest(rows)
    found.broken += _fences(rows)
    found.broken += _marks(rows)
    found.broken += _agents(history)
    found.broken += _readers(history, rows)
    return found


def _asked(history: Iterable[Line]) -> dict[str, dict[str, str]]:
    """By what was asked for and its key: the best answer that was ever given."""
    found: dict[str, dict[str, str]] = {
        what: {} for what in ("job", "message", "ticket", "turn", "merge", "deployment")
    }
    for line in history:
        if line["event"] in {"asked", "unknown"}:
            found[line["what"]].setdefault(line["key"], "unknown")
        elif line["event"] in {"acknowledged", "refused"} and found[line["what"]].get(line["key"]) != "acknowledged":
            found[line["what"]][line["key"]] = line["event"]
    return found


def _once(found: Findings, what: str, key: str, answer: str, times: int) -> None:
    if times > 1:
        found.doubled.append(f"{what} {key}: {times} times")
    elif times == 0 and answer == "acknowledged":
        found.lost.append(f"{what} {key}: acknowledged, and not there")
    elif times and answer == "refused":
        found.broken.append(f"{what} {key}: refused, and there")


# Jobs with effects outside ---------------------------------------------------------


def _jobs(found: Findings, asked: dict[str, str], history: list[Line], rows: Rows) -> None:
    effects = Counter(line["key"] for line in history if line["event"] == "effect")
    own = [job for job in rows["jobs"] if job["key"]]
    done = {job["key"] for job in own if job["state"] == "succeeded"}
    for key, answer in asked.items():
        _once(found, "the effect of job", key, answer, effects[key])
        if answer == "acknowledged" and key not in done:
            found.lost.append(f"job {key}: acknowledged, and no row of it succeeded")
    of_clock = {job["key"] for job in own}
    for key, times in effects.items():
        if key not in asked:
            _once(found, "the effect of job", key, "unknown", times)
            if key not in of_clock:
                found.broken.append(f"the effect of job {key}: nobody asked for it")
    found.lost += [f"job {key}: succeeded without its effect" for key in sorted(done) if not effects[key]]
    _settled(found, own, rows)


def _settled(found: Findings, own: list[Rows], rows: Rows) -> None:
    """The effect inside: the end of a job is told to its kind once."""
    final = Counter(mark["job"] for mark in rows["marks"] if mark["verb"] == "settled" and mark["final"])
    for job in own:
        if job["state"] not in LIVE and final[job["id"]] == 0:
            found.lost.append(f"job {job['key']}: it ended, and nothing was settled")
        if final[job["id"]] > 1:
            found.doubled.append(f"the end of job {job['key']}: settled {final[job['id']]} times")
    every = Counter((mark["job"], mark["fence"]) for mark in rows["marks"] if mark["verb"] == "began")
    found.doubled += [f"attempt {fence} of job {job}: it began {n} times" for (job, fence), n in every.items() if n > 1]


# Tickets, messages, merges, deployments ---------------------------------------------


def _messages(found: Findings, asked: dict[str, str], rows: Rows) -> None:
    there = Counter(message["key"] for message in rows["messages"] if message["key"])
    for key, answer in asked.items():
        _once(found, "message", key, answer, there[key])
    done = {ticket["key"] for ticket in rows["tickets"] if ticket["state"] == "done"}
    numbers: dict[str, list[int]] = defaultdict(list)
    for message in rows["messages"]:
        numbers[message["ticket"]].append(message["number"])
        # One that was written after the last turn began waits for a turn that nobody needed any more.
        if message["key"] and message["ticket"] in done and message["taken"] > 0 and not message["read"]:
            found.lost.append(f"message {message['key']}: a turn took it, and none has read it")
        if message["live"] > 1:
            found.doubled.append(f"message {message['key']}: {message['live']} turns have it at once")
    for ticket, given in numbers.items():
        if sorted(given) != list(range(1, len(given) + 1)):
            found.broken.append(f"the messages of {ticket} are numbered {sorted(given)}")


def _tickets(found: Findings, asked: dict[str, dict[str, str]], rows: Rows) -> None:
    titles = Counter(ticket["title"] for ticket in rows["tickets"])
    for title, answer in asked["ticket"].items():
        _once(found, "ticket", title, answer, titles[title])
    states = {ticket["key"]: ticket["state"] for ticket in rows["tickets"]}
    for key, answer in asked["turn"].items():
        if answer == "acknowledged" and states.get(key) not in {"in_review", "done"}:
            found.lost.append(f"turn of {key}: it was assigned, and the ticket is {states.get(key, 'gone')}")
    for key, answer in asked["merge"].items():
        _once(found, "merge of", key, answer, rows["landed"].get(key, 0))
        if answer == "acknowledged" and states.get(key) != "done":
            found.lost.append(f"merge of {key}: it was accepted, and the ticket is {states.get(key, 'gone')}")
    for key in states.keys() - asked["merge"].keys():
        if rows["landed"].get(key, 0):
            found.broken.append(f"merge of {key}: nobody accepted it")
    live = Counter(turn["ticket"] for turn in rows["turns"] if turn["state"] == "running")
    found.broken += [f"{key} has a turn that runs over no job" for key in live]


def _deployments(found: Findings, asked: dict[str, str], history: list[Line], rows: Rows) -> None:
    ran = Counter(line["key"] for line in history if line["event"] == "step")
    states = {str(row["number"]): row["state"] for row in rows["deployments"]}
    for number, answer in asked.items():
        if answer == "acknowledged" and states.get(number) != "succeeded":
            found.lost.append(f"deployment {number}: asked for, and {states.get(number, 'gone')}")
    for step in rows["steps"]:
        # With a probe it is run again only where it was not done.
        if step["state"] == "succeeded" and step["counted"]:
            _once(found, "step", step["key"], "acknowledged", ran[step["key"]])


# What holds of the engine alone -----------------------------------------------------


def _at_rest(rows: Rows) -> Iterator[str]:
    for job in rows["jobs"]:
        if job["state"] in LIVE:
            yield f"job {job['id']} ({job['kind']}) is still {job['state']}"
        if job["state"] == "dead":
            yield f"job {job['id']} ({job['kind']}) is dead: {job['error'][-200:]}"
    for attempt in rows["attempts"]:
        if attempt["outcome"] == "running":
            yield f"attempt {attempt['fence']} of job {attempt['job']} is still running"
    for slot in rows["lane_slots"]:
        if slot["job"] is not None:
            yield f"slot {slot['n']} of lane {slot['lane']} is still held by job {slot['job']}"
    for slot in rows["subject_slots"]:
        yield f"subject {slot['subject']} is still held by job {slot['job']}"
    seen: set[tuple[Any, Any]] = set()
    for tick in rows["ticks"]:
        if (tick["schedule"], tick["due"]) in seen:
            yield f"schedule {tick['schedule']} has ticked twice for {tick['due']}"
        seen.add((tick["schedule"], tick["due"]))


def _fences(rows: Rows) -> Iterator[str]:
    """Fences rise with each attempt; attempts of one job, and of one exclusive subject, go one after the other."""
    subjects = {job["id"]: job["subject"] for job in rows["jobs"] if job["exclusive"]}
    lines: dict[str, list[Rows]] = defaultdict(list)
    for attempt in rows["attempts"]:
        lines[f"job {attempt['job']}"].append(attempt)
        if attempt["job"] in subjects:
            lines[f"subject {subjects[attempt['job']]}"].append(attempt)
    for name, attempts in lines.items():
        for one, other in pairwise(sorted(attempts, key=lambda row: (row["started"], row["job"], row["fence"]))):
            if one["ended"] is not None and other["started"] < one["ended"]:
                yield f"{name}: {_named(other)} began before {_named(one)} had ended"
            if one["job"] == other["job"] and other["fence"] <= one["fence"]:
                yield f"{name}: {_named(other)} follows {_named(one)}"


def _named(attempt: Rows) -> str:
    return f"attempt {attempt['fence']} of job {attempt['job']}"


def _marks(rows: Rows) -> Iterator[str]:
    """What was written under fences, in the order of the commits: nobody writes once another has begun, or it ended."""
    exclusive = {job["id"]: job["subject"] for job in rows["jobs"] if job["exclusive"]}
    holder: dict[str, tuple[int, int]] = {}
    left: set[tuple[str, int, int]] = set()
    ended: set[tuple[int, int]] = set()
    for mark in sorted(rows["marks"], key=lambda row: int(row["id"])):
        one = (int(mark["job"]), int(mark["fence"]))
        if one in ended:
            yield f"attempt {one[1]} of job {one[0]} wrote after its end"
        if mark["verb"] == "settled":
            ended.add(one)
        for line in filter(None, (f"job {one[0]}", exclusive.get(one[0], ""))):
            if (line, *one) in left:
                yield f"{line}: attempt {one[1]} of job {one[0]} wrote after another had begun"
            before = holder.get(line)
            if before is not None and before != one:
                left.add((line, *before))
            holder[line] = one


def _agents(history: list[Line]) -> Iterator[str]:
    """Processes of one subject, by what they said while they lived: never two at once."""
    lives: dict[str, dict[str, tuple[float, float]]] = defaultdict(dict)
    for line in history:
        if line["event"] == "agent":
            first, _ = lives[line["subject"]].get(line["run"], (line["mono"], 0.0))
            lives[line["subject"]][line["run"]] = (first, line["mono"])
    for subject, runs in lives.items():
        for (_, ended), (began, _) in pairwise(sorted(runs.values())):
            if began < ended:
                yield f"{subject}: two agents lived at once, for {ended - began:.2f} s"


def _readers(history: list[Line], rows: Rows) -> Iterator[str]:
    """Each reader saw 1..N of each stream: no gap, no doublet, and at last the head."""
    at: dict[tuple[str, str], tuple[str, int]] = {}
    for line in history:
        if line["event"] not in {"following", "read", "resync"}:
            continue
        key, now = (line["reader"], line["stream"]), (line["epoch"], line["number"])
        before = at.get(key)
        if line["event"] == "resync" and before is not None:
            yield f"{key[0]} was told to read {key[1]} anew, from {before} to {now}"
        if line["event"] == "read" and before is not None:
            if before[1] and before[0] != now[0]:
                yield f"{key[0]}: the epoch of {key[1]} went from {before[0]} to {now[0]}"
            elif now[1] != before[1] + 1:
                yield f"{key[0]} saw {now[1]} of {key[1]} after {before[1]}"
        if line["event"] == "read" or before is None:
            at[key] = now
    for (reader, stream), (_, number) in at.items():
        head = rows["streams"].get(stream, 0)
        if number != head:
            yield f"{reader} has seen {number} of {stream}, whose head is {head}"
