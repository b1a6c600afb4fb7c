"""One run in numbers: what was broken, what was asked for, what came of it."""

from __future__ import annotations

from typing import Any

from tests.soak.checker import Findings, Line, Rows

MOST_SENTENCES = 40


def longest_recovery(history: list[Line], rows: Rows) -> float:
    """The longest time from a fault until its work went on, in seconds.

    Of a process: until each job that it held has begun again. Of a server:
    until, after it was back, the next job has succeeded.
    """
    return round(max([0.0, *_of_processes(history, rows), *_of_servers(history, rows)]), 1)


def _of_processes(history: list[Line], rows: Rows) -> list[float]:
    struck = [(line["at"], line["struck"]) for line in history if line["event"] == "fault" and "struck" in line]
    starts = {(row["job"], row["fence"]): row["started"] for row in rows["attempts"]}
    found = []
    for row in rows["attempts"]:
        # "short@host:1234:5678": the third is what tells one life of a pid from another.
        pid = int(row["worker"].split(":")[1]) if row["worker"].count(":") == 2 else 0
        before = [at for at, one in struck if one == pid and row["started"] <= at <= (row["ended"] or at)]
        again = min(
            (start for (job, fence), start in starts.items() if job == row["job"] and fence > row["fence"]),
            default=None,
        )
        if before and again is not None and row["outcome"] != "failed":
            found.append(again - before[-1])
    return found


def _of_servers(history: list[Line], rows: Rows) -> list[float]:
    succeeded = sorted(row["ended"] for row in rows["attempts"] if row["outcome"] == "succeeded" and row["ended"])
    found = []
    for line in history:
        if line["event"] == "healed" and line["name"] in {"store", "database"}:
            after = next((ended for ended in succeeded if ended >= line["at"]), None)
            if after is not None:
                found.append(after - line["at"])
    return found


def verdict(
    findings: Findings,
    *,
    faults: dict[str, int],
    failpoints: dict[str, int],
    orphans: dict[int, str],
    deadlocks: int,
    trouble: list[str],
    void: list[str],
    **more: Any,
) -> dict[str, Any]:
    """``ok`` where nothing was lost, doubled, orphaned, deadlocked or broken, and the run was worth something."""
    broken = [*findings.broken, *trouble]
    good = findings.ok and not (orphans or deadlocks or trouble or void)
    return {
        "ok": good,
        "void": "; ".join(void),
        "faults": faults,
        "failpoints": failpoints,
        "acknowledged": findings.acknowledged,
        "lost": len(findings.lost),
        "doubled": len(findings.doubled),
        "orphans": len(orphans),
        "deadlocks": deadlocks,
        "broken": len(broken),
        "said": [*findings.lost, *findings.doubled, *orphans.values(), *broken][:MOST_SENTENCES],
        **more,
    }
