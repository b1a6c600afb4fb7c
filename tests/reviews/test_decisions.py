"""Rejected, waived, deferred: what each takes, who may, how it ends; and who of two at once is first."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from portal.core import clock, limits
from portal.core.lifecycle import NotAllowedNow, Refused, Stale
from portal.core.models import Activity, Notification, User
from reviews import answers, decisions, expiring, scopes
from reviews.models import Decision, Finding
from tests import factories
from tests.reviews import build
from tests.tickets import build as tickets
from tests.workers.racing import race
from workers.models import Job

if TYPE_CHECKING:
    from tests.factories import World

EVIDENCE = "The fuse is rated for it: https://example.org/fuse"


@pytest.fixture
def finding(world: World) -> Finding:
    return build.finding(world.mc)


@pytest.fixture
def place(world: World, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(scopes, "_named", [lambda project: ["staging"]])
    return "staging"


def soon(days: float = 7) -> datetime:
    return clock.now() + timedelta(days=days)


def state(finding: Finding) -> str:
    return Finding.objects.get(pk=finding.pk).state


def told(person: User) -> list[str]:
    return list(Notification.objects.filter(user=person).order_by("pk").values_list("verb", flat=True))


# Rejected -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("evidence", "said"),
    [
        ("", "Give evidence"),
        ("  \u200b ", "Give evidence"),
        ("because", "That shows nothing yet"),
        ("x" * 4001, "at most 4,000 characters"),
    ],
)
def test_a_rejection_takes_evidence(world: World, finding: Finding, evidence: str, said: str) -> None:
    with pytest.raises(Refused, match=said):
        decisions.reject(finding, by=world.reviewer, reason="Not so.", evidence=evidence)
    assert (state(finding), Decision.objects.count()) == ("open", 0)


@pytest.mark.once
@pytest.mark.parametrize(
    "evidence",
    [
        "https://a.example",
        "see 1a2b3c4",
        "db.py:12",
        "run `make`",
        "$ make test",
        "It is escaped by the template itself.",
    ],
)
def test_links_commits_places_commands_and_explanations_are_evidence(evidence: str) -> None:
    assert decisions.problem_of_evidence(evidence) == ""


def test_a_rejection_is_kept_with_who_why_and_what_shows_it(world: World, finding: Finding) -> None:
    made = decisions.reject(finding, by=world.reviewer, reason="Not so.", evidence=EVIDENCE)
    made.refresh_from_db()
    assert (state(finding), finding.answer) == ("rejected", "Not so.")
    assert (made.state, made.evidence, made.asked_by, made.until) == ("in_force", EVIDENCE, world.reviewer, None)
    assert Job.objects.filter(kind="decision.look", subject=made.subject).exists()
    assert Activity.objects.get(verb="decision.made").scope == world.mc.scope


def test_a_stale_version_or_an_answered_finding_changes_nothing(world: World, finding: Finding) -> None:
    with pytest.raises(Stale):
        decisions.reject(finding, by=world.reviewer, reason="x", evidence=EVIDENCE, expected_version=9)
    with pytest.raises(Stale):
        decisions.ask_waiver(finding, by=world.reviewer, reason="x", until=soon(), expected_version=9)
    answers.answer(finding, "fix", reason="Done.")
    for deed in (
        lambda: decisions.reject(finding, by=world.reviewer, reason="x", evidence=EVIDENCE),
        lambda: decisions.defer(finding, by=world.reviewer, reason="x", until=soon()),
        lambda: decisions.ask_waiver(finding, by=world.reviewer, reason="x", until=soon()),
    ):
        with pytest.raises(Refused):
            deed()
    assert not Decision.objects.exists() and not Job.objects.filter(kind__startswith="decision").exists()


@pytest.mark.parametrize("verb", ["reject", "waive", "defer"])
def test_answers_ask_for_what_the_decision_takes(world: World, finding: Finding, verb: str) -> None:
    with pytest.raises(Refused):
        answers.answer(finding, verb, reason="Because.", by=world.reviewer)
    with pytest.raises(Refused, match="by nobody"):
        answers.answer(finding, verb, reason="Because.", evidence=EVIDENCE, until=soon())
    with pytest.raises(Refused, match="Say why"):
        answers.answer(finding, verb, reason=" ", by=world.reviewer, evidence=EVIDENCE, until=soon())
    assert state(finding) == "open"
    answers.answer(finding, verb, reason="Because.", by=world.reviewer, evidence=EVIDENCE, until=soon())
    assert state(finding) == {"reject": "rejected", "waive": "open", "defer": "deferred"}[verb]


# Waived ----------------------------------------------------------------------------


def test_a_waiver_counts_when_a_second_person_gives_it(world: World, finding: Finding) -> None:
    asked = decisions.ask_waiver(finding, by=world.reviewer, reason="Until spring.", until=soon())
    assert (state(finding), asked.state) == ("open", "asked")
    assert told(world.owner) == ["decision.asked"] and told(world.operator) == []
    with pytest.raises(Refused, match="somebody else"):
        decisions.give(asked, by=world.reviewer)
    with pytest.raises(Refused, match="It takes a reviewer"):
        decisions.give(asked, by=world.operator)
    assert state(finding) == "open"
    given = decisions.give(asked, by=world.releaser)
    assert (state(finding), given.state, given.given_label) == ("waived", "in_force", str(world.releaser))
    assert told(world.reviewer) == ["decision.give"]
    with pytest.raises(Refused, match="in force"):
        decisions.give(given, by=world.owner)


def test_a_refused_waiver_leaves_the_finding_open_and_another_can_be_asked(world: World, finding: Finding) -> None:
    asked = build.ask_waiver(finding)
    with pytest.raises(Refused, match="waits for a second person"):
        build.ask_waiver(finding)
    decisions.refuse(asked, by=world.owner, reason="Mend it.")
    assert (state(finding), asked.state, asked.end_reason) == ("open", "refused", "Mend it.")
    build.waive(finding)
    assert state(finding) == "waived"


def test_a_waiver_of_one_place_leaves_the_finding_open_elsewhere(world: World, finding: Finding, place: str) -> None:
    made = build.waive(finding, scope=place)
    assert state(finding) == "open"
    assert decisions.waived_in(world.mc, place) == {finding.pk: made}
    assert decisions.waived_in(world.mc, "production") == decisions.waived_in(world.mc, "") == {}
    build.over(made)
    assert decisions.waived_in(world.mc, place) == {}, "its time is over, whoever has noticed"
    with pytest.raises(Refused, match="no environment"):
        build.ask_waiver(build.finding(world.mc), scope="moon")


@pytest.mark.parametrize("kind", ["waive", "defer"])
def test_an_end_is_in_the_future_and_not_too_far(world: World, finding: Finding, kind: str) -> None:
    most = limits.value("WAIVER_MAX_DAYS" if kind == "waive" else "DEFER_MAX_DAYS")
    deed: Any = decisions.ask_waiver if kind == "waive" else decisions.defer
    for until, said in ((soon(-1), "over already"), (soon(most + 1.1), f"at most {most} days")):
        with pytest.raises(Refused, match=said):
            deed(finding, by=world.reviewer, reason="x", until=until)
    last = decisions.end_of((clock.now() + timedelta(days=most)).date())
    deed(finding, by=world.reviewer, reason="x", until=last)


@pytest.mark.once
def test_a_day_ends_with_its_last_second() -> None:
    assert decisions.end_of(date(2026, 12, 31)) == datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)


# How it ends -----------------------------------------------------------------------


@pytest.mark.parametrize("make", [build.reject, build.waive, build.defer])
def test_ending_a_decision_opens_its_finding_and_opening_the_finding_ends_it(finding: Finding, make: Any) -> None:
    first = make(finding)
    decisions.end(first, reason="Not so after all.")
    assert (state(finding), first.state, first.end_reason) == ("open", "ended", "Not so after all.")
    finding.refresh_from_db()
    second = make(finding)
    answers.open_again(finding, reason="Again.")
    second.refresh_from_db()
    assert (state(finding), second.state, second.end_reason) == ("open", "ended", "Again.")
    with pytest.raises(NotAllowedNow):
        decisions.end(second, reason="Once more.")


def test_what_is_fixed_ends_what_waits_and_what_was_waived_in_one_place(
    world: World, finding: Finding, place: str
) -> None:
    scoped, asked = build.waive(finding, scope=place), build.ask_waiver(build.finding(world.mc))
    ticket = tickets.ticket(world.mc)
    Finding.objects.update(ticket=ticket)
    answers.ticket_accepted(ticket)
    assert set(Decision.objects.values_list("state", "end_reason")) == {("ended", f"{ticket.key} was accepted.")}
    assert {scoped.pk, asked.pk} == set(Decision.objects.values_list("pk", flat=True))


def test_another_decision_takes_the_place_of_one_that_waits(finding: Finding) -> None:
    asked = build.ask_waiver(finding)
    build.reject(finding)
    asked.refresh_from_db()
    assert (state(finding), asked.state) == ("rejected", "ended")


def test_the_clock_ends_them_opens_their_findings_and_tells_who_asked(world: World, place: str) -> None:
    waived, deferred, scoped, lasting = (build.finding(world.mc) for _ in range(4))
    made = decisions.ask_waiver(waived, by=world.reviewer, reason="x", until=soon())
    build.over(decisions.give(made, by=world.owner))
    build.over(build.defer(deferred))
    build.over(build.waive(scoped, scope=place))
    build.waive(lasting)
    late = build.over(build.ask_waiver(build.finding(world.mc)))
    assert expiring.end_due() == 4 and expiring.end_due() == 0
    assert [state(one) for one in (waived, deferred, scoped, lasting)] == ["open", "open", "open", "waived"]
    late.refresh_from_db()
    assert "Nobody gave the waiver in time" in late.end_reason
    assert {"decision.give", "decision.end"} <= set(told(world.reviewer)) and "decision.end" in told(world.owner)
    line = Activity.objects.get(verb="finding.open_again", subject=waived.subject)
    assert (line.actor_kind, line.reason) == (
        "clock",
        f"Waived until now: it ended on {decisions.day_of(clock.now())}.",
    )


def test_a_job_is_due_when_it_ends(finding: Finding) -> None:
    made = build.defer(finding, days=3)
    job = Job.objects.get(kind="decision.due")
    assert job.subject == made.subject
    assert made.until is not None and abs((job.run_after - made.until).total_seconds()) < 60


# Races -----------------------------------------------------------------------------


def _give(pk: int, person: int) -> str:
    return decisions.give(Decision.objects.get(pk=pk), by=User.objects.get(pk=person)).given_label


def _reject(pk: int, person: int) -> str:
    finding = Finding.objects.select_related("series__project").get(pk=pk)
    decisions.reject(finding, by=User.objects.get(pk=person), reason="Not so.", evidence=EVIDENCE)
    return "rejected"


def _fix(pk: int) -> str:
    answers.answer(Finding.objects.get(pk=pk), "fix", reason="Done.")
    return "fixed"


def _expire() -> str:
    return str(expiring.end_due())


def _open(pk: int) -> str:
    answers.open_again(Finding.objects.get(pk=pk), reason="Now.")
    return "opened"


def _trying(deed: Any, *arguments: Any) -> str:
    try:
        return str(deed(*arguments))
    except Refused as refusal:
        return f"refused: {refusal}"


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_of_two_who_give_at_once_one_has_given_it(world: World, finding: Finding) -> None:
    asked = build.ask_waiver(finding)
    said = race(_trying, [(_give, asked.pk, person.pk) for person in (world.releaser, world.owner)])
    assert sum(word.startswith("refused") for word in said) == 1
    asked.refresh_from_db()
    assert asked.given_label in said and state(finding) == "waived"


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_a_rejection_and_a_fix_at_once_are_one_of_them(world: World) -> None:
    for _ in range(3):
        finding = build.finding(world.mc)
        said = race(_trying, [(_reject, finding.pk, world.reviewer.pk), (_fix, finding.pk)])
        (won,) = [word for word in said if not word.startswith("refused")]
        assert state(finding) == won
        assert decisions.standing().filter(finding=finding).exists() == (won == "rejected")


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_the_clock_and_a_person_end_it_once(world: World, finding: Finding) -> None:
    made = build.over(build.waive(finding))
    said = race(_trying, [(_expire,), (_open, finding.pk)])
    assert state(finding) == "open"
    made.refresh_from_db()
    assert made.state == "ended"
    opened = Activity.objects.filter(verb="finding.open_again", subject=finding.subject).count()
    assert opened == 1, said
    assert Activity.objects.filter(verb="decision.end", subject=made.subject).count() == 1


def test_no_agent_decides(world: World, finding: Finding) -> None:
    asked = build.ask_waiver(finding)
    outsider = factories.person("agent@example.org")
    with pytest.raises(Refused, match="It takes a reviewer"):
        decisions.give(asked, by=outsider)
