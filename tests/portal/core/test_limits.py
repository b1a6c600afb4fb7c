"""Every bound is declared once, read from the environment under its name, and refused where it cannot be."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from portal.core import limits
from portal.core.limits import ALL, Limit

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[3]
UNITS = ("SECONDS", "HOURS", "MINUTES", "BYTES", "CHARS", "ROWS", "JOBS", "FRAMES", "STREAMS", "SOCKETS", "NUMBERS")
UNITS += ("MESSAGES", "PERCENT", "FILES", "PIXELS", "OPTIONS", "STEPS", "ANSWERS", "DAYS", "TICKS", "FINDINGS")
COUNTS = {"JOB_MAX_FAILURES", "JOB_MAX_LOSSES", "JOB_MAX_UNSEEN", "JOB_MAX_TIMEOUTS", "LOGIN_FAILURES"}
COUNTS |= {"CHECKS_MAX", "VARIABLES_MAX", "ALLOWED_PATHS_MAX", "BREAKER_FAILURES", "BACKUPS_KEPT", "BULK_JOBS_MAX"}
COUNTS |= {"TURN_PROPOSALS", "COUNCIL_MEMBERS", "FREEZES_PLANNED", "FREEZE_CALENDAR_WEEKS", "OBSERVED_PLACEMENTS"}
COUNTS |= {"STEP_RETRIES"}

# One process reads the settings many times over: what each limit makes of a value.
READ = """
import io, json, os, runpy, sys
asked = json.loads(sys.stdin.read())
found = []
for name, value in asked:
    os.environ[name] = str(value)
    written, sys.stderr = sys.stderr, io.StringIO()
    try:
        made = runpy.run_module("portal.settings")
        found.append([0, made["LIMITS"][name]])
    except SystemExit as stop:
        found.append([stop.code, sys.stderr.getvalue()])
    finally:
        sys.stderr = written
        del os.environ[name]
print(json.dumps(found))
"""


def read(asked: list[tuple[str, object]], data: Path) -> list[list[Any]]:
    # Wide enough that no other rule about leases stands in the way.
    environment = {"DATA_DIR": str(data), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", READ], input=json.dumps(asked), env=environment, cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    answers: list[list[Any]] = json.loads(done.stdout)
    return answers


def test_every_limit_is_read_under_its_name_and_held_to_its_bounds(tmp_path: Path) -> None:
    asked: list[tuple[str, object]] = []
    for limit in ALL:
        asked += [(limit.name, value) for value in (limit.default, limit.low - 1, limit.high + 1, "much")]
    answers = iter(read(asked, tmp_path / "data"))
    for limit in ALL:
        default, below, above, words = (next(answers) for _ in range(4))
        assert default == [0, limit.default]
        for (code, said), value in ((below, limit.low - 1), (above, limit.high + 1)):
            assert code == 2
            assert said == f"shiproom: {limit.name}: {value} is outside {limit.low} to {limit.high}.\n"
        assert words[0] == 2
        assert words[1].startswith(f"shiproom: {limit.name}: 'much' is not a whole number")


def test_every_limit_may_be_set_to_its_ends(tmp_path: Path) -> None:
    """But for those that another limit holds: a heartbeat three times in a lease."""
    held = {"LEASE_SECONDS", "HEARTBEAT_SECONDS", "LEASE_MARGIN_SECONDS"}
    free = [limit for limit in ALL if limit.name not in held]
    asked: list[tuple[str, object]] = [(limit.name, end) for limit in free for end in (limit.low, limit.high)]
    assert read(asked, tmp_path / "data") == [[0, end] for _, end in asked]


@pytest.mark.parametrize("limit", ALL, ids=lambda limit: limit.name)
def test_a_limit_names_its_unit_and_says_what_it_bounds(limit: Limit) -> None:
    assert limit.low <= limit.default <= limit.high
    assert limit.name in COUNTS or limit.name.endswith(UNITS)
    assert limit.meaning
    assert limit.meaning[0].islower()


def test_no_name_is_declared_twice() -> None:
    assert len(limits.BY_NAME) == len(ALL)


def test_a_name_that_is_not_declared_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        limits.value("LUNCH_MINUTES")


@pytest.mark.parametrize("limit", ALL, ids=lambda limit: limit.name)
def test_a_limit_that_is_declared_is_asked_for(limit: Limit) -> None:
    """One that nobody asks for bounds nothing."""
    asking = [
        path
        for folder in ("portal", "workers", "tickets", "reviews", "deployments")
        for path in (ROOT / folder).rglob("*.py")
        if path.name != "limits.py" and re.search(rf"\b{limit.name}\b", path.read_text(encoding="utf-8"))
    ]
    assert asking, f"nothing asks for {limit.name}"


@pytest.mark.django_db
class TestWhereTheyHold:
    """At the limit and one past it, where a person meets them."""

    @pytest.fixture
    def owner(self, world: Any, client: Any) -> Any:
        client.force_login(world.owner, "allauth.account.auth_backends.AuthenticationBackend")
        return client

    @pytest.fixture
    def limit(self, settings: Any) -> Callable[..., None]:
        def change(**values: int) -> None:
            settings.LIMITS = settings.LIMITS | values

        return change

    def test_a_title(self, owner: Any, limit: Callable[..., None]) -> None:
        limit(TITLE_MAX_CHARS=20)
        assert owner.post("/tickets/new/", {"project": "MC", "title": "x" * 20, "body": ""}).status_code == 302
        refused = owner.post("/tickets/new/", {"project": "MC", "title": "x" * 21, "body": ""})
        assert refused.status_code == 422
        assert "20" in refused.content.decode()

    def test_a_body(self, owner: Any, limit: Callable[..., None]) -> None:
        limit(BODY_MAX_CHARS=1000)
        assert owner.post("/tickets/new/", {"project": "MC", "title": "a", "body": "x" * 1000}).status_code == 302
        assert owner.post("/tickets/new/", {"project": "MC", "title": "b", "body": "x" * 1001}).status_code == 422

    def test_a_document(self, owner: Any, limit: Callable[..., None]) -> None:
        limit(DOCUMENT_TEXT_MAX_BYTES=1024)
        form = {"project": "MC", "series": "security"}
        assert owner.post("/reviews/new/", form | {"text": "x" * 1024}).status_code == 302
        assert owner.post("/reviews/new/", form | {"text": "y" * 1025}).status_code in {413, 422}

    def test_the_rows_of_a_page(self, owner: Any, world: Any, limit: Callable[..., None]) -> None:
        from tickets.work import create_ticket

        limit(LIST_PAGE_ROWS=5)
        for n in range(5):
            create_ticket(world.mc, title=f"Ticket {n}")
        assert self.keys(owner) == {"MC-1", "MC-2", "MC-3", "MC-4", "MC-5"}
        create_ticket(world.mc, title="One more")
        assert self.keys(owner) == {"MC-2", "MC-3", "MC-4", "MC-5", "MC-6"}

    def keys(self, owner: Any) -> set[str]:
        return set(re.findall(r"/tickets/(MC-\d+)/", owner.get("/tickets/").content.decode()))
