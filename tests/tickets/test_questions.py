"""Questions of agents: asked once, answered once, by a person or by the default at the deadline."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import IntegrityError, transaction

from portal.core import limits
from portal.core.clock import now
from portal.core.lifecycle import Refused, Stale
from portal.core.models import Activity, User
from portal.live.models import Event
from tests import factories
from tests.tickets import asking, build
from tests.workers.racing import race
from tickets import conversation, questions, work
from tickets.models import Message, Project, Question, Ticket
from workers import claims, kinds
from workers.models import Agent, AgentVersion, Job

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = pytest.mark.django_db


def answer(question: Question, by: User, choice: int | None = 0, text: str = "", **more: Any) -> Question:
    return questions.answer(question, by=by, choice=choice, text=text, **more)


def jobs(ticket: Ticket) -> int:
    return Job.objects.filter(subject=ticket.subject, kind="turn", state="queued").count()


# Asked ---------------------------------------------------------------------------------


def test_a_question_is_stored_announced_and_in_the_history(world: World) -> None:
    question = asking.ask(world.mc)
    question.refresh_from_db()
    assert question.text.startswith("1,204 rows") and question.state == "open"
    assert question.options[2] == {"label": "Write all off", "detail": ""} and question.default == 0
    assert question.deadline_at is not None
    assert abs(question.deadline_at - now() - timedelta(minutes=88)) < timedelta(seconds=20)
    subject = f"question:{question.ticket.key}/3"
    told = Event.objects.filter(object=subject).values_list("stream__name", flat=True)
    assert set(told) == {question.ticket.subject, world.mc.scope}
    assert Activity.objects.get(verb="question.asked").subject == subject


def test_a_new_question_sets_the_earlier_one_aside(world: World) -> None:
    first = asking.ask(world.mc)
    second = asking.again(first.ticket, "And which table?", seq=4)
    first.refresh_from_db()
    assert (first.state, second.state) == ("set_aside", "open")
    assert questions.open_of(first.ticket) == second
    with pytest.raises(Refused, match="turn 3 was set aside"):
        answer(first, world.operator)
    assert answer(second, world.operator, None, "The audit table").state == "answered"


def test_assigning_sets_the_question_aside(world: World) -> None:
    question = asking.ask(world.mc)
    work.assign(question.ticket, Agent.objects.get())
    question.refresh_from_db()
    assert question.state == "set_aside" and questions.open_of(question.ticket) is None
    assert questions.set_aside(question.ticket, "Again.") is None


# Answered by a person --------------------------------------------------------------------


def test_an_answer_is_the_persons_message_and_queues_the_next_turn(world: World) -> None:
    question = asking.ask(world.mc)
    ticket = question.ticket
    done = answer(question, world.operator, 1, " Only ours.\n", expected_version=1)
    assert (done.state, done.choice, done.answered_by, done.answered_label) == (
        "answered",
        1,
        world.operator,
        "Operator",
    )
    assert done.answer == "Replay the last 72 hours\n\nOnly ours." and done.answered_at is not None
    message = Message.objects.get()
    assert message.body == "Answer to turn 3: **Replay the last 72 hours**\n\nOnly ours."
    assert (message.author, message.author_kind) == (world.operator, "person")
    ticket.refresh_from_db()
    assert (ticket.state, jobs(ticket), ticket.last_message) == ("queued", 1, 1)
    assert conversation.take(ticket, build.turn(ticket, "running", seq=4)) == [message]


@pytest.mark.parametrize(
    ("choice", "text", "stored", "said"),
    [
        (2, "", "Write all off", "Answer to turn 3: **Write all off**"),
        (None, "Ask the tenants first", "Ask the tenants first", "Answer to turn 3:\n\nAsk the tenants first"),
    ],
)
def test_an_answer_is_an_option_or_words(world: World, choice: int | None, text: str, stored: str, said: str) -> None:
    assert answer(asking.ask(world.mc), world.operator, choice, text).answer == stored
    assert Message.objects.get().body == said


def test_the_newest_profile_of_the_agent_goes_on(world: World) -> None:
    question = asking.ask(world.mc)
    old = AgentVersion.objects.get()
    newer = AgentVersion.objects.create(
        agent=old.agent, number=2, adapter="plain", trusted=True, command=["true"], wall_seconds=60, silence_seconds=60
    )
    answer(question, world.operator)
    question.ticket.refresh_from_db()
    assert question.ticket.agent_version == newer
    assert Job.objects.get(subject=question.ticket.subject, state="queued").payload["agent_version"] == newer.pk


def refused(question: Question, by: User, choice: int | None, text: str, words: str) -> None:
    """Nothing is changed by what is refused."""
    before = (Activity.objects.count(), Message.objects.count(), Job.objects.count())
    with pytest.raises(Refused, match=words):
        answer(question, by, choice, text)
    question.refresh_from_db()
    assert question.state == "open" and question.ticket.state == "needs_person"
    assert (Activity.objects.count(), Message.objects.count(), Job.objects.count()) == before


@pytest.mark.parametrize(
    ("choice", "text", "words"),
    [
        (None, "", "Choose an option"),
        (None, " \u200b\u3164 ", "Choose an option"),
        (3, "", "no option 3. Its options are 0 to 2"),
        (-1, "", "no option -1"),
        (0, "a\0b", "NUL"),
        (0, "a\ud800b", "lone surrogate"),
    ],
)
def test_an_answer_that_says_nothing_fit_is_refused(world: World, choice: int | None, text: str, words: str) -> None:
    refused(asking.ask(world.mc), world.operator, choice, text, words)


def test_the_length_of_an_answer_is_bounded(world: World) -> None:
    most = limits.value("ANSWER_MAX_CHARS")
    question = asking.ask(world.mc)
    refused(question, world.operator, 0, "x" * (most + 1), f"at most {most:,} characters")
    assert answer(question, world.operator, 0, "x" * most).state == "answered"


def test_a_question_without_options_is_answered_in_words(world: World) -> None:
    question = asking.ask(world.mc, "Which drain?")
    refused(question, world.operator, 0, "", "no options, so 0 cannot be chosen")
    refused(question, world.operator, None, "", "Answer in words")
    assert answer(question, world.operator, None, "The second").answer == "The second"


def test_where_no_turn_could_follow_the_answer_is_refused_and_says_what_lifts_it(world: World) -> None:
    question = asking.ask(world.mc)
    Agent.objects.update(enabled=False)
    refused(question, world.operator, 0, "", "claude-dev is switched off.*Assign another agent")
    Agent.objects.update(enabled=True)
    build.repository(world.mc, "")
    refused(question, world.operator, 0, "", "names no repository.*An owner can set it")
    build.repository(world.mc, "/srv/git/mc")
    assert answer(question, world.operator).state == "answered"


def test_an_answer_to_another_version_is_refused(world: World) -> None:
    with pytest.raises(Stale):
        answer(asking.ask(world.mc), world.operator, expected_version=7)
    assert not Message.objects.exists()


def test_the_second_is_told_who_answered_what_and_when(world: World) -> None:
    question = asking.ask(world.mc)
    answer(question, world.operator, 2)
    with pytest.raises(Refused) as caught:
        answer(question, world.reviewer, 0, "No, replay", expected_version=1)
    assert "answered already, by Operator at 20" in str(caught.value) and "“Write all off”" in str(caught.value)
    assert Message.objects.count() == 1 and jobs(question.ticket) == 1


def test_the_database_keeps_no_answer_without_its_person(world: World) -> None:
    question = asking.ask(world.mc)
    with pytest.raises(IntegrityError), transaction.atomic():
        Question.objects.filter(pk=question.pk).update(state="answered", answer="x", answered_at=now())


# Answered by the default -----------------------------------------------------------------


def test_a_default_answers_at_the_deadline_as_the_portals_own_word(world: World) -> None:
    question = asking.overdue(asking.ask(asking.defaults_answer(world.mc)))
    ticket = question.ticket
    assert questions.answer_due() == 1
    question.refresh_from_db()
    assert (question.state, question.choice, question.answer) == ("answered", 0, "Replay all")
    assert (question.answered_label, question.answered_by) == ("Shiproom: the default at the deadline", None)
    message = Message.objects.get()
    assert (message.author_kind, message.author_label, message.author) == ("portal", "Shiproom", None)
    assert message.body.startswith("Answer to turn 3: **Replay all**\n\nNobody answered by the deadline")
    ticket.refresh_from_db()
    assert (ticket.state, jobs(ticket)) == ("queued", 1)
    assert conversation.take(ticket, build.turn(ticket, "running", seq=4)) == [message]
    assert Activity.objects.filter(verb="question.answer").get().actor_label == questions.BY_DEFAULT
    assert questions.answer_due() == 0 and Message.objects.count() == 1


def test_no_default_answers_before_its_deadline_or_where_the_project_does_not_let_it(world: World) -> None:
    question = asking.overdue(asking.ask(world.mc))
    assert questions.answer_due() == 0
    asking.defaults_answer(world.mc)
    early = asking.ask(world.mc)
    without = asking.overdue(asking.ask(world.mc, {"question": "Which?", "options": ["A"], "deadline_minutes": 60}))
    assert questions.answer_due() == 1
    states = [Question.objects.get(pk=row.pk).state for row in (question, early, without)]
    assert states == ["answered", "open", "open"]


def test_one_that_no_turn_could_follow_keeps_no_other_from_its_default(world: World, monkeypatch: Any) -> None:
    monkeypatch.setattr(questions, "DUE_AT_ONCE", 1)
    asking.defaults_answer(world.mc)
    stuck, parked = (asking.overdue(asking.ask(world.mc, seq=n), minutes=60) for n in (1, 2))
    off = build.agent("off", enabled=False)
    Ticket.objects.filter(pk=stuck.ticket_id).update(agent_version=off.versions.get())
    Ticket.objects.filter(pk=parked.ticket_id).update(state="blocked")
    fine = asking.overdue(asking.ask(world.mc))
    assert questions.answer_due() == 1
    assert Question.objects.get(pk=fine.pk).state == "answered"
    assert questions.answer_due() == 0


def test_a_run_gives_a_bounded_number_of_defaults_and_the_next_the_others(world: World, monkeypatch: Any) -> None:
    monkeypatch.setattr(questions, "DUE_AT_ONCE", 2)
    asking.defaults_answer(world.mc)
    for n in range(3):
        asking.overdue(asking.ask(world.mc, seq=n + 1), minutes=n + 1)
    assert [questions.answer_due() for _ in range(3)] == [2, 1, 0]


@pytest.mark.django_db(transaction=True)
def test_a_deadline_with_a_default_is_a_job_that_is_due_then(world: World) -> None:
    from workers.fencing import reading_only

    question = asking.ask(asking.defaults_answer(world.mc))
    job = Job.objects.get(kind=questions.DEADLINE_KIND)
    assert question.deadline_at is not None
    assert abs((job.run_after - question.deadline_at).total_seconds()) < 1
    assert claims.claim("short", [job.kind], worker="short@test", most=1) == []
    asking.overdue(question)
    Job.objects.filter(pk=job.pk).update(run_after="2000-01-01T00:00:00Z")
    (claim,) = claims.claim("short", [job.kind], worker="short@test", most=1)
    kind = kinds.get(job.kind)
    assert kind is not None
    with reading_only():
        assert kind.run(claim) == 1
    question.refresh_from_db()
    assert question.state == "answered"


def test_an_answer_is_not_withdrawn_since_a_turn_follows_it(world: World) -> None:
    question = asking.ask(world.mc)
    questions.answer(question, by=world.operator, choice=0, text="")
    with pytest.raises(Refused, match="answers a question"):
        conversation.withdraw(Message.objects.get(), by=world.operator)


# At the same moment ------------------------------------------------------------------------


def _answer(question: int, person: int, place: int) -> str:
    row, by = Question.objects.select_related("ticket", "turn").get(pk=question), User.objects.get(pk=person)
    try:
        questions.answer(row, by=by, choice=place, text="", expected_version=1)
    except Refused as refusal:
        return str(refusal)
    return "answered"


def _sweep(*_: int) -> str:
    return "answered" if questions.answer_due() else "nothing due"


@pytest.mark.django_db(transaction=True)
def test_of_many_who_answer_at_once_one_does_and_the_others_are_told(world: World, engine: str) -> None:
    question = asking.ask(world.mc)
    processes = 8 if engine == "postgresql" else 4
    people = [factories.person(f"p{n}@example.org", name=f"Person {n}") for n in range(processes)]
    found = race(_answer, [(question.pk, person.pk, n % 3) for n, person in enumerate(people)])
    question.refresh_from_db()
    assert found.count("answered") == 1
    winner = f"answered already, by Person {found.index('answered')} at"
    assert all(winner in said for said in found if said != "answered")
    message = Message.objects.get()
    assert message.author == question.answered_by and question.answer in message.body
    assert Job.objects.filter(kind="turn", state="queued").count() == 1
    assert Ticket.objects.get().state == "queued"


@pytest.mark.django_db(transaction=True)
def test_of_people_and_sweeps_at_the_deadline_one_answers_each(world: World, engine: str) -> None:
    asking.defaults_answer(world.mc)
    rows = [asking.overdue(asking.ask(world.mc, seq=n + 1)) for n in range(6)]
    sweeps = 3 if engine == "postgresql" else 2
    calls: list[tuple[Any, ...]] = [(_sweep,)] * sweeps
    calls += [(_answer, row.pk, world.operator.pk, 2) for row in rows[:3]]
    found = race(_call, calls)
    states = Question.objects.values_list("state", "answered_label")
    assert {state for state, _ in states} == {"answered"}
    by_people = sum(label == "Operator" for _, label in states)
    assert by_people == found[sweeps:].count("answered")
    assert Message.objects.count() == 6 == Job.objects.filter(kind="turn", state="queued").count()
    assert Message.objects.filter(author_kind="portal").count() == 6 - by_people


def _call(function: Any, *values: Any) -> Any:
    return function(*values)


@pytest.mark.django_db(transaction=True)
def test_an_answer_and_an_assignment_at_once_leave_one_turn(world: World, engine: str) -> None:
    agent = build.agent()
    for _ in range(6 if engine == "postgresql" else 2):
        question = asking.ask(world.mc)
        race(_call, [(_answer, question.pk, world.operator.pk, 0), (_assign, question.ticket_id, agent.pk)])
        question.refresh_from_db()
        assert jobs(question.ticket) == 1
        assert (question.state == "answered") == Message.objects.filter(ticket=question.ticket).exists()
        assert question.state in {"answered", "set_aside"}


def _assign(ticket: int, agent: int) -> str:
    try:
        work.assign(Ticket.objects.select_related("project").get(pk=ticket), Agent.objects.get(pk=agent))
    except Refused as refusal:
        return str(refusal)
    return "assigned"


def test_a_project_lets_no_default_answer_unless_it_is_told_to() -> None:
    assert Project._meta.get_field("default_answers").default is False
