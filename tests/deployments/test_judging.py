"""A verdict on any commit: by policy, asked by a page, the API and the command, and stale at once when it is."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F

from deployments import judging, places, verdicts
from deployments.commits import Commit
from deployments.models import Verdict
from reviews.models import Finding
from tests.reviews import build
from tests.tickets import build as build_ticket
from tickets.models import CheckRun

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client

    from tests.factories import World

A, B = "a" * 40, "b" * 40


def policy(world: World, **rules: Any) -> None:
    number = verdicts.policy_of(world.mc).number
    places.set_policy(world.mc, **{"severities": [], "valid_hours": 24, "expected_number": number} | rules)


def aged(finding: Finding, days: float) -> None:
    """So many days older than it is."""
    Finding.objects.filter(pk=finding.pk).update(created_at=F("created_at") - timedelta(days=days))


def test_an_open_finding_that_is_older_than_its_severity_may_be_holds(world: World) -> None:
    finding = build.finding(world.mc, severity="high")
    policy(world, ages={"high": 30})
    aged(finding, 29)
    young = verdicts.judge(world.mc)
    assert young.go
    aged(finding, 2)
    old = verdicts.judge(world.mc)
    assert (old.go, old.blocking) == (False, [finding.pk])
    assert verdicts.is_stale(young, old), "growing older is a change of what it saw"


def test_a_word_of_the_policy_in_the_category_holds_whatever_the_severity(world: World) -> None:
    finding, other = build.finding(world.mc, severity="low"), build.finding(world.mc, severity="low")
    Finding.objects.filter(pk=finding.pk).update(category="Application Security")
    Finding.objects.filter(pk=other.pk).update(category="Style")
    policy(world, categories=["security"])
    assert verdicts.judge(world.mc).blocking == [finding.pk]


def test_a_waived_finding_holds_where_the_policy_says_so(world: World) -> None:
    finding = build.finding(world.mc, "waived")
    policy(world, severities=["critical"])
    assert verdicts.judge(world.mc).go
    policy(world, severities=["critical"], waived_holds=True)
    held = verdicts.judge(world.mc)
    assert held.blocking == [finding.pk] and "is waived" in held.reasons[0]["text"]


def test_checks_that_were_not_seen_to_pass_on_the_commit_hold_it(world: World) -> None:
    policy(world, checks=True)
    unknown = verdicts.judge(world.mc, judging.Judged(B, frozenset()))
    assert (unknown.go, unknown.blocking, unknown.untold) == (False, [], 0)
    assert unknown.reasons[0]["text"] == "No checks are known to have run on bbbbbbbbb"
    ticket = build_ticket.ticket(world.mc)
    turn = build_ticket.turn(ticket)
    merge = build_ticket.merge(ticket, turn, "merged", merged_commit=A, attempt=turn.attempt)
    build_ticket.check(turn.attempt, outcome="failed", command=["make", "test"])
    failed = verdicts.judge(world.mc, judging.Judged(A, frozenset({merge.pk})))
    assert failed.answer == "do_not_ship" and failed.reasons[0]["text"] == "make test did not pass on aaaaaaaaa"
    CheckRun.objects.update(outcome="passed")
    assert verdicts.judge(world.mc, judging.Judged(A, frozenset({merge.pk}))).go


def test_a_commit_ships_after_fixes_that_are_there_and_not_in_it(world: World) -> None:
    finding = build.finding(world.mc, "fixed")
    ticket = build_ticket.ticket(world.mc)
    merge = build_ticket.merge(ticket, build_ticket.turn(ticket), "merged", merged_commit=A)
    finding.evidence.create(edge="commit", ref=A, strength="measured", by="the portal")
    assert verdicts.judge(world.mc, judging.Judged(B, frozenset())).answer == "ship_after"
    assert verdicts.judge(world.mc, judging.Judged(A, frozenset({merge.pk}))).answer == "ship"
    build.finding(world.mc)
    assert verdicts.judge(world.mc, judging.Judged(B, frozenset())).answer == "do_not_ship"


def test_what_is_judged_again_without_a_change_is_one_verdict_and_any_change_makes_it_stale(world: World) -> None:
    first = judging.keep(world.mc, Commit(A))
    assert judging.keep(world.mc, Commit(A)).pk == first.pk
    assert not judging.standing(first).stale
    build.finding(world.mc)
    standing = judging.standing(first)
    assert standing.stale and judging.github_status(standing)["state"] == "pending"
    second = judging.keep(world.mc, Commit(A))
    assert second.pk != first.pk and judging.newest(world.mc, A[:7]) == second
    said = judging.github_status(judging.standing(second))
    assert said["state"] == "failure" and said["description"].startswith("Do not ship: ")
    assert judging.gitlab_status(judging.standing(second))["state"] == "failed"


def test_a_beginning_of_two_commits_is_the_name_of_none(world: World) -> None:
    for end in "12":
        judging.keep(world.mc, Commit("c" * 39 + end))
    assert judging.newest(world.mc, "c" * 12) is None
    assert judging.newest(world.mc, "c" * 39 + "1") is not None


@pytest.mark.parametrize(("open_ones", "code"), [(0, 0), (1, 4)])
def test_the_command_says_it_with_its_exit_code(world: World, capsys: Any, open_ones: int, code: int) -> None:
    for _ in range(open_ones):
        build.finding(world.mc)
    with pytest.raises(SystemExit) as ended:
        call_command("verdict", "mc", A)
    assert ended.value.code == code
    assert capsys.readouterr().out.startswith(f"{A[:12]}: {'Do not ship' if code else 'Ship'}.")
    assert Verdict.objects.get().commit == A


@pytest.mark.parametrize(("named", "said"), [(["XX"], "There is no project"), (["MC", "a..b"], "no two dots")])
def test_the_command_says_what_cannot_be_judged(world: World, named: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said) as refused:
        call_command("verdict", *named)
    assert refused.value.returncode == 2


def test_a_page_asks_and_shows_what_is_kept(world: World, sign_in: Callable[..., Client]) -> None:
    browser = sign_in(world.operator)
    assert "No commit was judged yet" in browser.get("/deployments/verdicts/MC/").content.decode()
    build.finding(world.mc)
    judging.keep(world.mc, Commit(A))
    page = browser.get("/deployments/verdicts/MC/").content.decode()
    assert "Do not ship" in page and "Stale" not in page
    answer = browser.post("/deployments/verdicts/MC/ask/", {"asked": "two..dots"})
    assert answer.status_code == 422 and "no two dots in a row" in answer.content.decode()
    assert browser.post("/deployments/verdicts/MC/ask/", {"asked": ""}).status_code == 302
    assert sign_in(world.viewer).post("/deployments/verdicts/MC/ask/", {"asked": ""}).status_code == 403
