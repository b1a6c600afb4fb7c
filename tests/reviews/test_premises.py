"""The code that a rejection rests on: remembered, the same wherever it went, and another when it changes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from portal.core.models import Activity, Notification
from reviews import decisions, premises
from reviews.models import Decision, Finding, Occurrence, Review
from tests.reviews import build
from tests.tickets import build as tickets
from tests.tickets.repositories import commit, person, repository
from tickets import clones
from tickets.models import Merge, Project
from workers.models import Job

if TYPE_CHECKING:
    from tests.factories import World

CODE = """\
import outbox

def drain(rows):
    for row in rows:
        outbox.send(row)

    outbox.delete(rows)
"""


@pytest.fixture
def source(tmp_path: Path, settings: Any) -> Path:
    settings.DATA_DIR = tmp_path / "data"
    found = repository(tmp_path / "mc")
    commit(found, "Code", **{"app/outbox.py": CODE})
    return found


@pytest.fixture
def mc(world: World, source: Path) -> Project:
    Project.objects.update(repository=str(source))
    world.mc.refresh_from_db()
    return world.mc


def rejected(mc: Project, *files: str, commit: str = "") -> Decision:
    finding = build.finding(mc)
    Finding.objects.filter(pk=finding.pk).update(files=list(files))
    if commit:
        review = build.in_state(mc, "applied")
        Review.objects.filter(pk=review.pk).update(commit=commit)
        Occurrence.objects.create(finding=finding, review=review, n=1, title="x", line_start=1, line_end=1)
    made = build.reject(Finding.objects.get(pk=finding.pk))
    premises.look(made.pk)
    made.refresh_from_db()
    return made


def places(mc: Project, made: Decision) -> list[str]:
    clones.fetched(mc)
    return premises.premises_changed(mc, [made]).get(made.pk, [])


def test_a_rejection_remembers_the_code_at_the_head_of_the_target(mc: Project, source: Path) -> None:
    made = rejected(mc, "outbox.py:3-7", "app/outbox.py", "gone.py:1-9")
    (premise,) = made.premises
    head = person(source, "rev-parse", "HEAD")
    assert {name: premise[name] for name in ("path", "start", "end", "count", "commit")} == {
        "path": "app/outbox.py", "start": 3, "end": 7, "count": 4, "commit": head,
    }  # fmt: skip
    assert Activity.objects.filter(verb="decision.looked", subject=made.subject).exists()
    assert premises.look(made.pk) == 0, "once is enough"


def test_the_lines_are_those_of_the_commit_that_the_review_names(mc: Project, source: Path) -> None:
    old = person(source, "rev-parse", "HEAD")
    commit(source, "Moved down", **{"app/outbox.py": f"# one\n# two\n{CODE}"})
    (premise,) = rejected(mc, "app/outbox.py:3-7", commit=old).premises
    assert (premise["start"], premise["end"]) == (5, 9)


@pytest.mark.once
@pytest.mark.parametrize(
    "now",
    [
        {"app/outbox.py": f"# about\n\n{CODE}"},
        {"app/outbox.py": CODE.replace("    ", "\t").replace("\n\n", "\n")},
        {"app/outbox.py": CODE + "\n\ndef more():\n    return drain\n"},
        {"app/outbox.py": None, "lib/outbox.py": CODE},
        {"other.py": "print('something else')\n"},
    ],
)
def test_code_that_only_moved_is_unchanged(mc: Project, source: Path, now: dict[str, str | None]) -> None:
    made = rejected(mc, "app/outbox.py:3-7")
    change(source, now)
    assert places(mc, made) == []


@pytest.mark.once
@pytest.mark.parametrize(
    "now",
    [
        {"app/outbox.py": CODE.replace("delete", "forget")},
        {"app/outbox.py": CODE.replace("    outbox.delete(rows)\n", "")},
        {"app/outbox.py": None},
        {"app/outbox.py": None, "a/outbox.py": CODE, "b/outbox.py": CODE},
    ],
)
def test_code_that_says_something_else_is_named(mc: Project, source: Path, now: dict[str, str | None]) -> None:
    made = rejected(mc, "app/outbox.py:3-7")
    change(source, now)
    assert places(mc, made) == ["app/outbox.py:3-7"]


def change(source: Path, now: dict[str, str | None]) -> None:
    for name, content in now.items():
        if content is None:
            person(source, "rm", "--quiet", name)
    commit(source, "Now", **{name: content for name, content in now.items() if content is not None})


def test_what_cannot_be_read_has_not_changed(mc: Project, source: Path, world: World) -> None:
    made = rejected(mc, "app/outbox.py:3-7")
    commit(source, "Now", **{"app/outbox.py": "nothing of it is left here\n"})
    assert places(mc, made) == ["app/outbox.py:3-7"]
    clones.path_of(mc).rename(clones.path_of(mc).with_suffix(".away"))
    assert premises.premises_changed(mc, [made]) == {}
    source.rename(source.with_name("away"))
    assert premises.compare(mc.pk) == 0
    other = rejected(mc, "app/outbox.py:3-7")
    assert other.premises == [] and other.finding.state == "rejected"


def test_changed_code_opens_the_finding_again_and_says_where(mc: Project, source: Path, world: World) -> None:
    made = rejected(mc, "app/outbox.py:3-7")
    stays = rejected(mc, "a.txt:1-8")
    head = commit(source, "Now", **{"app/outbox.py": CODE.replace("delete", "forget")})
    assert premises.compare(mc.pk) == 1 and premises.compare(mc.pk) == 0
    made.refresh_from_db()
    said = f"Premise changed: app/outbox.py:3-7 is not what it was, at {head[:9]}."
    assert (made.state, made.end_reason, made.finding.state) == ("ended", said, "open")
    opened = Activity.objects.get(verb="finding.open_again")
    assert (opened.reason, opened.actor_label) == (said, premises.BY_CODE)
    assert said in Notification.objects.get(user=made.asked_by, verb="decision.end").title
    stays.refresh_from_db()
    assert stays.state == "in_force"


def test_merged_work_has_the_rejections_of_its_project_compared(mc: Project) -> None:
    def enqueued() -> list[str]:
        return list(Job.objects.filter(kind="decision.compare").values_list("unique_key", flat=True))

    finding = build.finding(mc)
    premises.merged(Merge(ticket=tickets.ticket(mc), merged_commit="a" * 40))
    assert enqueued() == []
    rejected(mc, "app/outbox.py:3-7")
    premises.merged(Merge(ticket=tickets.ticket(mc), merged_commit="a" * 40))
    premises.merged(Merge(ticket=tickets.ticket(mc), merged_commit="b" * 40))
    assert enqueued() == [f"{mc.scope}@{'a' * 40}", f"{mc.scope}@{'b' * 40}"]
    assert finding.state == "open"


def test_a_rejection_that_ended_meanwhile_keeps_nothing(mc: Project) -> None:
    made = build.reject(build.finding(mc))
    decisions.end(made, reason="After all.")
    assert premises.look(made.pk) == 0 and premises.look(10**9) == 0
    assert premises.compare(10**9) == 0
