"""10,000 results of a tool into a series, and the same ones again, beside one COPY and upsert of the same findings.

    python benchmarks/imports.py --rounds 10 [--findings 10000] [--profile]

The floor is psycopg alone: COPY into a temporary table, then INSERT ... SELECT
... ON CONFLICT DO UPDATE into a table like that of the findings, with its
indexes, in one wide row all that was read of each. Ours is all that an import does in the database: the plan is made by
matching against the series and stored as rows, then it is applied, with
occurrences, fingerprints, history and events. ``plain`` is the findings alone,
as an import would write them: those that are there are looked up, the others
inserted. Each round takes all of them in turn, with the floor before and
after; the ratio of a round is to the mean of those two. Beside the seconds of
the clock stand those of the processors, of this process and of the server
together: on a machine that others use, too, they say more.
"""

from __future__ import annotations

import argparse
import contextlib
import cProfile
import json
import os
import pstats
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

COLUMNS = "series_id, identity, state, version, reference, ticket_key, title, severity, category, rule, files, answer"
COLUMNS += ", body, fields, fingerprint, lines"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--findings", type=int, default=10_000)
    parser.add_argument("--profile", action="store_true", help="one round, and where its time goes")
    options = parser.parse_args()
    from tests.engines import postgresql

    postgresql._SETTINGS.update(fsync="on", full_page_writes="on")
    server = postgresql.start()
    _server.append(server.process.pid)
    try:
        with tempfile.TemporaryDirectory(prefix="sr-", dir="/tmp") as folder:
            prepare(server.url, Path(folder))
            if options.profile:
                profile(options.findings)
            else:
                print(json.dumps(measure(options.rounds, options.findings), indent=2))
    finally:
        server.stop()


def prepare(url: str, folder: Path) -> None:
    os.environ |= {"DATABASE_URL": url, "DATA_DIR": str(folder), "REDIS_URL": "", "LOG_LEVEL": "ERROR"}
    os.environ |= {"DJANGO_SETTINGS_MODULE": "portal.settings"}
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE bench_finding (LIKE reviews_finding INCLUDING ALL)")
        cursor.execute(
            "ALTER TABLE bench_finding ADD body text, ADD fields jsonb, ADD fingerprint text, ADD lines integer"
        )


def items(findings: int) -> Any:
    """What was read of a tool's results: a third of the titles are shared, as those of a rule are."""
    from reviews.importing.model import Metadata, ParsedFinding, ParsedReview

    found = tuple(
        ParsedFinding(
            title=f"Query of {n // 3} is built from what a user typed, and reaches the database as it is",
            line_start=n + 1,
            line_end=n + 1,
            reason="A result of the tool.",
            confidence=1.0,
            severity=("critical", "high", "medium", "low")[n % 4],  # type: ignore[arg-type]
            severity_as_written="error",
            category="security",
            files=(f"src/app{n % 400}/views.py:{n}",),
            body=f"Result {n}: the value goes from the request into the statement. " * 3,
            fields=(("Level", "error"), ("Snippet", f"cursor.execute(query + value_{n})")),
            fingerprints=(("primaryLocationLineHash", f"{n:016x}:1"),),
            rule="py/sql-injection",
        )
        for n in range(findings)
    )
    return ParsedReview("results.sarif", "", "", (), "Results", Metadata(), found, (), (), (), ())


_made = 0


def series() -> Any:
    from portal.core.unit import unit_of_work
    from reviews.models import Series
    from tickets.models import Project, ProjectCounter

    global _made
    _made += 1
    project = Project.objects.filter(key="BE").first()
    if project is None:
        with unit_of_work():
            project = Project.objects.create(key="BE", name="Bench")
            ProjectCounter.objects.get_or_create(project=project)
    return Series.objects.create(project=project, name=f"Bench {_made}")


def imported(into: Any, parsed: Any, parts: dict[str, float]) -> None:
    """Plan and apply, as the job and a person do."""
    from portal.core.unit import unit_of_work
    from reviews import applying, planning
    from reviews.models import Review

    number = Review.objects.filter(series=into).count() + 1
    review = Review.objects.create(
        series=into, number=number, title="Results", content=b"{}", digest=f"{into.pk}-{number}", state="received"
    )
    began = time.perf_counter()
    plan = planning.draft(review, parsed)
    planned = time.perf_counter()
    with unit_of_work():
        planning.store(review, plan)
    stored = time.perf_counter()
    applying.apply(review)
    parts |= {"plan": planned - began, "store": stored - planned, "apply": time.perf_counter() - stored}


def plain(into: Any, parsed: Any) -> None:
    """Those of the findings that are not there yet."""
    from django.db import transaction

    from portal.core import bulk
    from reviews import matching
    from reviews.models import Finding

    with transaction.atomic():
        there = set(Finding.objects.filter(series=into).values_list("identity", flat=True))
        made = [
            Finding(
                series=into,
                identity=identity,
                state="open",
                title=item.title,
                severity=item.severity,
                category=item.category or "",
                rule=item.rule or "",
                files=list(item.files),
            )
            for n, item in enumerate(parsed.findings)
            if (identity := f"{matching.identity(item)}#{n}") not in there
        ]
        if made:
            bulk.insert(Finding, made)


def floor(into: Any, parsed: Any) -> Cost:
    rows = [
        (
            *(into.pk, f"{n:040d}", "open", 1, "", "", item.title, item.severity, item.category, item.rule),
            *(json.dumps(item.files), "", item.body, json.dumps(item.fields), item.fingerprints[0][1], item.line_start),
        )
        for n, item in enumerate(parsed.findings)
    ]
    return taken(lambda: upserted(rows))


def upserted(rows: list[Any]) -> None:
    import psycopg

    with psycopg.connect(os.environ["DATABASE_URL"]) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE staged (LIKE bench_finding) ON COMMIT DROP")
        cursor.execute("ALTER TABLE staged ALTER id DROP NOT NULL, ALTER created_at SET DEFAULT now()")
        with cursor.copy(f"COPY staged ({COLUMNS}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        cursor.execute(
            f"INSERT INTO bench_finding ({COLUMNS}) SELECT {COLUMNS} FROM staged"
            " ON CONFLICT (series_id, identity) DO UPDATE SET title = excluded.title, severity = excluded.severity,"
            " files = excluded.files, body = excluded.body, fields = excluded.fields, lines = excluded.lines,"
            " version = bench_finding.version + 1"
        )


_server: list[int] = []


class Cost(NamedTuple):
    """Seconds of the clock, and of the processors for this process and all of the server."""

    wall: float
    cpu: float


def spent() -> float:
    """What the server spent in processes that have ended is with the one that started them."""
    import psutil

    first = psutil.Process(_server[0])
    found = time.process_time()
    for process in (first, *first.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            found += sum(process.cpu_times()[:4])
    return found


def taken(act: Callable[[], None]) -> Cost:
    before, began = spent(), time.perf_counter()
    act()
    wall = time.perf_counter() - began
    # A connection that was closed takes a moment to be counted.
    time.sleep(0.1)
    return Cost(wall, spent() - before)


def one_round(parsed: Any) -> dict[str, Any]:
    """What each cost, the floor as it was before and after."""
    parts: dict[str, dict[str, float]] = {"fresh": {}, "again": {}}
    into, below = series(), series()
    floors = [floor(below, parsed), floor(below, parsed)]
    found: dict[str, Cost] = {
        "fresh": taken(lambda: imported(into, parsed, parts["fresh"])),
        "again": taken(lambda: imported(into, parsed, parts["again"])),
    }
    beside = series()
    found["plain_fresh"] = taken(lambda: plain(beside, parsed))
    found["plain_again"] = taken(lambda: plain(beside, parsed))
    last = series()
    floors += [floor(last, parsed), floor(last, parsed)]
    for name, some in (("floor_fresh", floors[0::2]), ("floor_again", floors[1::2])):
        found[name] = Cost(statistics.mean(one.wall for one in some), statistics.mean(one.cpu for one in some))
    return {**found, "parts": parts}


def measure(rounds: int, findings: int) -> dict[str, Any]:
    parsed = items(findings)
    one_round(parsed)
    taken = [one_round(parsed) for _ in range(rounds)]
    names = ("fresh", "again", "plain_fresh", "plain_again")
    parts = {
        name: {part: round(statistics.median(each["parts"][name][part] for each in taken), 3) for part in some}
        for name, some in taken[0]["parts"].items()
    }
    said: dict[str, Any] = {"rounds": rounds, "findings": findings, "parts_seconds_median": parts}
    for kind, seconds in ((0, "seconds"), (1, "cpu_seconds")):
        ratios = {
            name: [each[name][kind] / each[f"floor_{name.rpartition('_')[2]}"][kind] for each in taken]
            for name in names
        }
        said[f"{seconds}_median"] = {
            name: round(statistics.median(each[name][kind] for each in taken), 3)
            for name in (*names, "floor_fresh", "floor_again")
        }
        said[f"{seconds}_ratio"] = {name: [round(share, 2) for share in each] for name, each in ratios.items()}
        said[f"{seconds}_ratio_median"] = {name: round(statistics.median(each), 2) for name, each in ratios.items()}
    return said


def profile(findings: int) -> None:
    parsed, into = items(findings), series()
    one_round(parsed)
    for name in ("fresh", "again"):
        watch, parts = cProfile.Profile(), dict[str, float]()
        watch.runcall(imported, into, parsed, parts)
        print(name, {part: round(seconds, 3) for part, seconds in parts.items()})
        pstats.Stats(watch).sort_stats("cumulative").print_stats(45)


if __name__ == "__main__":
    main()
