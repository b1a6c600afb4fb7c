"""What people see of turns, diffs, checks and merges."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from portal.core.clock import now
from tests.signing_in import ROLES, Counted, SignIn
from tests.tickets import build
from tickets.models import Ticket, Turn, Workspace
from workers.models import Attempt, Job

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = pytest.mark.pages

PAGES = ["diff/", "diff.txt", "turns/2/transcript/"]


@pytest.fixture
def ticket(world: World) -> Ticket:
    return build.measured_ticket(build.ticket(world.mc), world.operator, world.reviewer)


@pytest.fixture
def opened(world: World, sign_in: SignIn) -> Any:
    def read(ticket: Ticket, rest: str = "", who: str = "operator") -> str:
        return sign_in(getattr(world, who)).get(f"{ticket.get_absolute_url()}{rest}").content.decode()

    return read


def panel(page: str, seq: int) -> str:
    """What stands in the panel of a turn, its spaces as one."""
    found = re.search(rf'<section class="panel" id="turn-{seq}".*?</section>', page, re.DOTALL)
    return re.sub(r"\s+", " ", found[0]) if found else ""


def row(page: str, about: str) -> tuple[bool, str]:
    """Whether a row of the comparison is marked as not holding, and what it says."""
    for tag, words in re.findall(r"<tr([^>]*)>(.*?)</tr>", page, re.DOTALL):
        if f'<th scope="row">{about}' in words:
            return "off" in tag, " ".join(re.sub(r"<[^>]+>", " ", words).split())
    raise AssertionError(f"no row about {about}")


@pytest.mark.parametrize("page", PAGES)
def test_what_a_turn_left_is_for_the_members_of_its_project(
    world: World, sign_in: SignIn, ticket: Ticket, page: str
) -> None:
    url = f"{ticket.get_absolute_url()}{page}"
    for role in (*ROLES, "admin"):
        assert sign_in(getattr(world, role)).get(url).status_code == 200, role
    assert sign_in(world.outsider).get(url).status_code == 404
    assert sign_in(None).get(url)["Location"].startswith("/accounts/login/")


# The panel of a turn ------------------------------------------------------------------


def test_each_claim_stands_beside_what_was_measured_and_what_does_not_hold_is_marked(
    opened: Any, ticket: Ticket
) -> None:
    page = panel(opened(ticket), 2)
    assert row(page, "New commits") == (
        False, "New commits says that it is done bbbbbbbbb Send first, delete by id and fence",
    )  # fmt: skip
    assert row(page, "Diff not empty")[0] is False and "+5 −3 in 4 files" in row(page, "Diff not empty")[1]
    assert "/diff/?turn=2" in page
    off, words = row(page, "Only allowed paths")
    assert off and "5 files outside: ci/retry.yml , ci/matrix.yml , docs/a.md and 2 more" in words
    assert row(page, "Tree clean") == (False, "Tree clean not stated all is committed")
    checks = dict(re.findall(r"(<tr[^>]*>)<td>.{0,400}?Check <code>([^<]+)", page))
    assert sorted(checks.values()) == ["pytest tests/outbox -q", "ruff check ."]
    assert row(page, "Check <code>ruff")[0] is False
    off, words = row(page, "Check <code>pytest")
    assert off and "exit 1: 1 failed, 40 passed" in words and "test_crash" in words
    assert row(page, "Exit code") == (False, "Exit code not stated 0")


def test_the_head_of_a_turn_says_who_how_long_and_for_how_much(opened: Any, ticket: Ticket) -> None:
    page = panel(opened(ticket), 2)
    for words in ("claude-impl v1", "session resumed", "12,400 in, 912 out tokens", "$0.84", "Unproven"):
        assert words in page
    assert "Outside the allowed paths: ci/retry.yml, ci/matrix.yml, docs/a.md and 2 more." in page


def test_what_holds_is_proven_and_gives_no_reasons(world: World, opened: Any) -> None:
    ticket = build.ticket(world.mc, "in_review")
    turn = build.turn(ticket, head_commit=build.HEAD, exit_code=0, payload="Done", ended_at=now())
    build.measured(turn, uncommitted=[], commit_count=1)
    build.check(turn.attempt)
    page = panel(opened(ticket), 1)
    assert 'class="off"' not in page and "Done</span>" in page and "Does not hold" not in page


@pytest.mark.parametrize(
    ("fields", "about", "words"),
    [
        ({"commits": [], "commit_count": 0}, "New commits", "no new commit, still aaaaaaaaa"),
        ({"files_changed": 0}, "Diff not empty", "nothing changed"),
        ({"uncommitted": ["a.py"], "uncommitted_count": 1}, "Tree clean", "1 file not committed: a.py"),
    ],
)
def test_what_was_not_seen_is_marked(world: World, opened: Any, fields: Any, about: str, words: str) -> None:
    ticket = build.ticket(world.mc, "unproven")
    build.measured(
        build.turn(ticket, payload="Done", ended_at=now()), proven=False, reasons=["It is not so."], **fields
    )
    off, said = row(panel(opened(ticket), 1), about)
    assert off and words in said


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        ("no_tests", "no tests ran"),
        ("timed_out", "took longer than it may"),
        ("not_started", "could not be started"),
        ("failed", "exit 1"),
    ],
)
def test_a_check_that_showed_nothing_is_red_in_words(world: World, opened: Any, outcome: str, words: str) -> None:
    ticket = build.ticket(world.mc, "unproven")
    build.check(build.turn(ticket, ended_at=now()).attempt, outcome=outcome)
    off, said = row(panel(opened(ticket), 1), "Check")
    assert off and words in said


@pytest.mark.parametrize(
    ("outcome", "state", "words"),
    [
        ("timed_out", "failed", "It ran out of time: at 60 s"),
        ("lost", "failed", "Its worker was lost: at 60 s"),
        ("cancelled", "stopped", "It was stopped on request: at 60 s"),
        ("bad_input", "failed", "It could not begin: at 60 s"),
    ],
)
def test_a_turn_that_was_ended_says_how(world: World, opened: Any, outcome: str, state: str, words: str) -> None:
    ticket = build.ticket(world.mc, "failed")
    turn = build.turn(ticket, state, ended_at=now())
    Attempt.objects.filter(pk=turn.attempt_id).update(outcome=outcome, error="Traceback\nat 60 s")
    assert words in row(panel(opened(ticket), 1), "Its end")[1]


def test_checks_appear_while_the_turn_is_still_being_measured(world: World, opened: Any) -> None:
    ticket = build.ticket(world.mc, "running")
    turn = build.turn(ticket, "running")
    assert "<table" not in panel(opened(ticket), 1)
    build.check(turn.attempt, summary="41 passed")
    page = panel(opened(ticket), 1)
    assert "exit 0: 41 passed" in row(page, "Check")[1] and "New commits" not in page


def test_an_earlier_try_is_one_line_that_opens(opened: Any, ticket: Ticket) -> None:
    page = opened(ticket)
    earlier = panel(page, 1)
    assert re.search(r'<details class="turn" id="turn-1-fold"><summary>', earlier)
    summary = earlier[: earlier.index("</summary>")]
    assert "Its worker was lost." in summary and "Failed" in summary
    assert "<a " not in summary and "<button" not in summary
    assert "The lease expired at 14:02." in row(earlier, "Its end")[1]
    assert '<details class="turn"' not in panel(page, 2)


def test_a_review_is_named_and_not_measured(world: World, opened: Any) -> None:
    ticket = build.ticket(world.mc, "in_review")
    build.turn(ticket, purpose="review", payload="Looks right.", exit_code=0, ended_at=now())
    page = panel(opened(ticket), 1)
    assert "Turn 1, a review" in page and "Reviewed" in page and "Unproven" not in page and "New commits" not in page


# What it said and did -----------------------------------------------------------------------


def test_talk_and_deeds_are_shown_and_raw_output_is_folded(opened: Any, ticket: Ticket) -> None:
    page = panel(opened(ticket), 2)
    assert "rows are <strong>sent first</strong>" in page
    assert re.search(r"<b>Bash</b><span class=\"mono tiny\">pytest tests/outbox -q</span>.{0,200}failed", page)
    assert "Asks for permission, or was refused it: Bash: curl" in page
    assert "Not understood: 1 line" in page and 'id="turn-2-raw"' in page
    assert 'data-live="output' not in page, "what has ended is not followed"


def test_text_of_an_agent_is_never_markup(world: World, opened: Any) -> None:
    evil = "<script>alert(1)</script> \u202e [x](javascript:alert(1)) <img src=x>"
    output = build.stream(
        build.text(evil), build.call("a", evil, command=evil), build.gave("a", evil), {"type": evil}, evil,
        {"type": "system", "subtype": "permission_denied", "tool_use_id": "t", "tool_name": evil, "message": evil},
    )  # fmt: skip
    build.agent("claude-x", adapter="claude")
    ticket = build.ticket(world.mc, "running")
    build.turn(ticket, "running", output=output)
    page = opened(ticket)
    assert "<script>alert" not in page and "<img src=x" not in page and 'href="javascript' not in page
    assert "\u202e" not in page and "[U+202E]" in page


def test_a_running_transcript_follows_its_output_at_a_pace(world: World, opened: Any) -> None:
    build.agent("claude-x", adapter="claude")
    ticket = build.ticket(world.mc, "running")
    output = build.stream(build.text("I begin."), build.call("a", "Bash", command="make"))
    turn = build.turn(ticket, "running", output=output)
    for page in (panel(opened(ticket), 1), opened(ticket, "turns/1/transcript/")):
        found = re.search(r'<div class="pad stack tight" id="transcript-1"[^>]*>', page)
        assert found and 'data-live-pace="1000"' in found[0] and "data-live-output" not in found[0]
        assert f'data-live="output:{turn.attempt_id}"' in found[0] and f":{len(output)}" in found[0]
        assert f'data-live-url="{ticket.get_absolute_url()}turns/1/transcript/"' in found[0]
        assert "I begin." in page and "running" in page


def test_a_plain_agents_output_stays_as_it_is(world: World, opened: Any) -> None:
    ticket = build.ticket(world.mc)
    build.turn(ticket, output="{} 41 passed\n", ended_at=now())
    assert 'id="output-1"' in opened(ticket) and 'id="transcript-1"' not in opened(ticket)
    assert "41 passed" in opened(ticket, "turns/1/transcript/")


# Stopping ---------------------------------------------------------------------------------------


def test_a_running_turn_is_stopped_at_its_head_and_says_so(world: World, opened: Any) -> None:
    ticket = build.ticket(world.mc, "running")
    turn = build.turn(ticket, "running")
    stop = f'action="{ticket.get_absolute_url()}stop/"'
    assert stop in panel(opened(ticket), 1) and stop in panel(opened(ticket, "fragment/"), 1)
    assert stop not in panel(opened(ticket, who="viewer"), 1)
    Job.objects.filter(pk=turn.attempt.job_id).update(cancel_at=now())
    page = panel(opened(ticket), 1)
    assert stop not in page and "It was told to stop; its processes are ended within 12 s." in page
    Turn.objects.filter(pk=turn.pk).update(state="stopped", ended_at=now())
    Attempt.objects.filter(pk=turn.attempt_id).update(outcome="cancelled")
    page = panel(opened(ticket), 1)
    assert "Stopped" in page and "was told to stop" not in page


# The diff -----------------------------------------------------------------------------------------


def test_the_diff_shows_files_lines_and_what_became_of_them(opened: Any, ticket: Ticket) -> None:
    page = opened(ticket, "diff/")
    assert re.search(r'aria-current="page">Diff <span class="tiny sub">\+5 −3</span>', page)
    assert '<span class="add"><i></i><i>89</i><span>+    for row in conn.execute' in page
    assert '<span class="del"><i>89</i><i></i><span>-    conn.execute' in page
    assert "&lt;b&gt;flaky&lt;/b&gt;" in page and "<b>flaky" not in page
    assert "It was <code>docs/old name.md</code>." in page and "A binary file" in page
    for n, path in enumerate(("relay/outbox.py", "ci/retry.yml", "docs/new name.md", "docs/flow.png"), start=1):
        assert f'href="#file-{n}">{path}</a>' in page and f'id="file-{n}"' in page
    assert not re.search(r"<pre(?![^>]*tabindex)", page), "what scrolls is reached by the keyboard"


def test_an_earlier_diff_is_asked_for_by_its_turn(world: World, sign_in: SignIn, opened: Any, ticket: Ticket) -> None:
    later = build.turn(ticket, seq=3, head_commit="d" * 40, ended_at=now())
    build.measured(later, diff=build.DIFF.replace("outbox", "inbox"))
    newest, earlier = opened(ticket, "diff/"), opened(ticket, "diff/?turn=2")
    assert "relay/inbox.py" in newest and "Measured after turn 3" in newest and "?turn=2" in newest
    assert "relay/outbox.py" in earlier and "Measured after turn 2" in earlier
    browser = sign_in(world.viewer)
    for asked, status in {"1": 404, "9": 404, "x": 400, "-1": 400, "99999999999": 400, "": 200}.items():
        for page in ("diff/", "diff.txt"):
            assert browser.get(f"{ticket.get_absolute_url()}{page}?turn={asked}").status_code == status, (page, asked)


def test_without_a_measurement_there_is_no_diff_yet(world: World, opened: Any) -> None:
    ticket = build.ticket(world.mc)
    build.turn(ticket)
    assert "No diff yet" in opened(ticket, "diff/") and "has no diff yet" in opened(ticket, "diff.txt")
    assert "/diff/" not in opened(ticket)


def test_a_diff_is_exported_as_it_was_kept_and_says_what_was_not(
    world: World, sign_in: SignIn, opened: Any, ticket: Ticket
) -> None:
    answer = sign_in(world.viewer).get(f"{ticket.get_absolute_url()}diff.txt")
    assert answer.content.decode() == build.DIFF + build.DIFF_MORE
    assert answer["Content-Type"].startswith("text/plain") and answer["Content-Disposition"].startswith("attachment")
    type(ticket.turns.get(seq=2).measurement).objects.update(diff_cut=1_234_567)
    assert "1234567 more characters were not kept" in opened(ticket, "diff.txt")
    assert "1,234,567 characters of it were not kept" in opened(ticket, "diff/")


# The rail -----------------------------------------------------------------------------------------


def test_the_rail_says_what_was_spent_and_changed(opened: Any, ticket: Ticket) -> None:
    rail = re.sub(r"<[^>]+>", " ", opened(ticket, "rail/"))
    rail = " ".join(rail.split())
    for words in (
        "Turns 2", "Session resumed, same worktree", "Spent $0.84 of $10.00", f"Branch shiproom/{ticket.key.lower()}",
        "Base aaaaaaaaa", "Host build-1", "Diff +5 −3 in 4 files",
    ):  # fmt: skip
        assert words in rail, words


@pytest.mark.parametrize(
    ("state", "fields", "words"),
    [
        ("queued", {}, "bbbbbbbbb goes into main"),
        ("merged", {}, "bbbbbbbbb is merged as ccccccccc into main"),
        ("merged", {"recognised": True}, "was in main already, as ccccccccc"),
        ("sent_back", {"detail": "Conflicts in: `a.py`"}, "Conflicts in: a.py To lift: assign it again."),
        ("failed", {"detail": "The clone is not there."}, "The clone is not there."),
    ],
)
def test_the_rail_says_where_the_accepted_work_is(
    opened: Any, ticket: Ticket, state: str, fields: Any, words: str
) -> None:
    made = build.merge(ticket, ticket.turns.get(seq=2), state, attempt=build.attempt(ticket.subject), **fields)
    build.check(made.attempt, summary="39 passed")
    rail = " ".join(re.sub(r"<[^>]+>", " ", opened(ticket, "rail/")).replace("&#x27;", "'").split())
    rail = rail[rail.index("Merge") :]
    assert words in re.sub(r" ([.,])", r"\1", rail).replace("Why it came back ", "")
    assert "exit 0: 39 passed" in rail


def test_accepting_says_what_it_will_do(world: World, opened: Any, ticket: Ticket) -> None:
    assert "There is no commit" not in opened(ticket, who="reviewer")
    type(world.mc).objects.update(target_branch="main")
    assert "Merges its branch into main, once the checks pass on the result." in opened(ticket, who="reviewer")
    type(world.mc).objects.update(merge_strategy="rebase")
    assert "Rebases its branch onto main" in opened(ticket, who="reviewer")
    Workspace.objects.update(base_commit=build.HEAD)
    assert "There is no commit: nothing is merged" in opened(ticket, who="reviewer")


# What it costs ------------------------------------------------------------------------------------


def test_turns_checks_and_merges_cost_the_same_however_many_there_are(
    world: World, sign_in: SignIn, counted: Counted, ticket: Ticket
) -> None:
    browser = sign_in(world.operator)
    build.merge(ticket, ticket.turns.get(seq=2), "sent_back", attempt=build.attempt(ticket.subject))
    pages = ["", "fragment/", "rail/", "diff/", "turns/2/transcript/"]
    few = [counted(browser, f"{ticket.get_absolute_url()}{page}") for page in pages]
    version = ticket.turns.get(seq=2).agent_version
    for seq in range(3, 15):
        turn = build.turn(
            ticket, seq=seq, agent_version=version, output=build.stream(build.text("x")), head_commit=build.HEAD,
            ended_at=now(),
        )  # fmt: skip
        build.measured(turn)
        for n in range(1, 6):
            build.check(turn.attempt, n)
        build.merge(ticket, turn, "failed", attempt=turn.attempt)
    assert [counted(browser, f"{ticket.get_absolute_url()}{page}") for page in pages] == few
