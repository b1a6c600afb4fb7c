"""Pages of councils: the list, the form that asks for one, one council, and what its members do there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from portal.core.access import SIGNED_IN, Role, within
from portal.core.doors import Found, page
from portal.live import streams
from reviews.council_forms import (
    AgainForm,
    AskForm,
    CloseForm,
    CouncilFilter,
    HandInForm,
    ImportForm,
    VoidForm,
    VoteForm,
)
from reviews.councils import answering, asking, voting
from reviews.models import Council, CouncilState, Member
from reviews.queries import councils as queries
from reviews.queries.reviews import series_names
from reviews.wording import applied
from tickets import lists
from tickets.fields import Form
from tickets.history import of as history_of
from tickets.queries import Page
from tickets.rights import projects_with, require

VIEWER, OPERATOR, REVIEWER = within(Role.VIEWER), within(Role.OPERATOR), within(Role.REVIEWER)
STATES: Final = (CouncilState.OPEN, CouncilState.CLOSED, CouncilState.VOID)
INITIAL: Final = ("project", "about", "asked_for", "since", "series")


class Asked(NamedTuple):
    council: Council
    member: Member


class Tried(NamedTuple):
    """A form of the page that was refused, and the member that it was about."""

    form: Form
    about: int = 0


def find_council(number: int) -> Found | None:
    council = queries.by_number(number)
    return Found(council, council.series.project.scope) if council else None


def find_member(number: int, member: int) -> Found | None:
    found = find_council(number)
    asked = queries.member_of(found.object, member) if found else None
    return Found(Asked(found.object, asked), found.scope) if found and asked else None


@page("councils.list", SIGNED_IN)
def councils(request: HttpRequest) -> HttpResponse:
    return render(request, "councils/list.html", _list(request))


@page("councils.list_fragment", SIGNED_IN)
def councils_fragment(request: HttpRequest) -> HttpResponse:
    return render(request, "councils/list_body.html", _list(request))


def _list(request: HttpRequest) -> dict[str, Any]:
    def rows(asked: lists.Asked) -> Page:
        return queries.council_list(request.user, asked.wanted, asked.before)

    form = CouncilFilter(request.GET)
    return lists.context(request, form, rows, role=Role.OPERATOR, fragment="councils_fragment") | {"states": STATES}


@page("councils.new", SIGNED_IN, methods=("GET", "POST"))
def new(request: HttpRequest) -> HttpResponse:
    initial = {name: request.GET[name] for name in INITIAL if request.GET.get(name)}
    form = AskForm(request.user, *((request.POST,) if request.method == "POST" else ()), initial=initial)

    def act(asked: dict[str, Any]) -> Council:
        require(request.user, Role.OPERATOR, asked["project"])
        return asking.ask(asked["project"], asked["subject"], by=request.user, **form.asked())  # type: ignore[arg-type]

    status, council = form.carry_out(act) if request.method == "POST" else (200, None)
    if council is not None:
        messages.success(request, f"Asked for, as {council}. Its commit is being looked up.")
        return redirect(council)
    projects = projects_with(request.user, Role.OPERATOR)
    known = series_names(projects, str(form["project"].value() or ""))
    context = {"form": form, "projects": projects.exists(), "known": known}
    return render(request, "councils/new.html", context, status=status)


@page("councils.council", VIEWER, find=find_council)
def council(request: HttpRequest, council: Council, number: int) -> HttpResponse:
    return render(request, "councils/council.html", _everything(request, council))


@page("councils.council_fragment", VIEWER, find=find_council)
def council_fragment(request: HttpRequest, council: Council, number: int) -> HttpResponse:
    return render(request, "councils/council_body.html", _everything(request, council))


def _everything(request: HttpRequest, council: Council, tried: Tried | None = None) -> dict[str, Any]:
    # A page shows what is at least as new as its cursors: they are read first.
    cursors = streams.cursors(council.subject, council.series.project.scope)
    shown = queries.everything(council, request.user)
    for seat in shown.seats:
        if tried and seat.member.pk == tried.about:
            seat.tried = tried.form
    subjects = [council.subject, *(seat.member.subject for seat in shown.seats)]
    return {
        "council": council,
        "shown": shown,
        "live_cursors": cursors,
        "tried": tried,
        "refused": {tried.form.name: tried.form} if tried else {},
        "hand_in": tried.form if tried and isinstance(tried.form, HandInForm) else HandInForm(),
        "vote": tried.form if tried and isinstance(tried.form, VoteForm) else VoteForm(),
        "void": tried.form if tried and isinstance(tried.form, VoidForm) else VoidForm(),
        "history": history_of(subjects),
    }


def _act(
    request: HttpRequest,
    council: Council,
    form: Form,
    act: Callable[[dict[str, Any]], str],
    *,
    about: int = 0,
) -> HttpResponse:
    """Done and said; or the page again, with the reason where the button was."""
    status, said = form.carry_out(act)
    if status == 200:
        messages.success(request, said or "")
        return redirect(reverse("council", args=[council.pk]))
    fresh = queries.by_number(council.pk) or council
    return render(request, "councils/council.html", _everything(request, fresh, Tried(form, about)), status=status)


@page("councils.hand_in", OPERATOR, find=find_council, methods=("POST",))
def hand_in(request: HttpRequest, council: Council, number: int) -> HttpResponse:
    def act(asked: dict[str, Any]) -> str:
        words: dict[str, Any] = {"content": asked["content"], "file_name": asked["file_name"]}
        member = answering.by_person(council, by=request.user, **words)  # type: ignore[arg-type]
        return f"Handed in as {member.review}. It is being read; your vote is yours to give."

    return _act(request, council, HandInForm(request.POST, request.FILES), act)


@page("councils.vote", OPERATOR, find=find_council, methods=("POST",))
def vote(request: HttpRequest, council: Council, number: int) -> HttpResponse:
    def act(asked: dict[str, Any]) -> str:
        made = voting.vote(council, asked["ballot"], by=request.user, reason=asked["reason"])  # type: ignore[arg-type]
        return f"Your vote: {made.get_ballot_display().lower()}. It can be changed until the council is closed."

    return _act(request, council, VoteForm(request.POST), act)


@page("councils.close", REVIEWER, find=find_council, methods=("POST",))
def close(request: HttpRequest, council: Council, number: int) -> HttpResponse:
    def act(asked: dict[str, Any]) -> str:
        voting.close(council, expected_version=asked["expected_version"])
        return f"Closed: {council.get_outcome_display().lower()}."

    return _act(request, council, CloseForm(request.POST), act)


@page("councils.void", REVIEWER, find=find_council, methods=("POST",))
def void(request: HttpRequest, council: Council, number: int) -> HttpResponse:
    def act(asked: dict[str, Any]) -> str:
        voting.void(council, reason=asked["reason"], expected_version=asked["expected_version"])
        return f"{str(council).capitalize()} is void: no verdict goes by it."

    return _act(request, council, VoidForm(request.POST), act)


@page("councils.ask_again", OPERATOR, find=find_member, methods=("POST",))
def ask_again(request: HttpRequest, asked: Asked, number: int, member: int) -> HttpResponse:
    def act(sent: dict[str, Any]) -> str:
        asking.ask_again(asked.member, expected_version=sent["expected_version"])
        return f"{asked.member} was asked again."

    return _act(request, asked.council, AgainForm(request.POST), act, about=asked.member.pk)


@page("councils.take_in", REVIEWER, find=find_member, methods=("POST",))
def take_in(request: HttpRequest, asked: Asked, number: int, member: int) -> HttpResponse:
    def act(sent: dict[str, Any]) -> str:
        done = answering.of_member(asked.member, by=request.user)  # type: ignore[arg-type]
        return f"{asked.member.review} is imported: {applied(done)}."

    return _act(request, asked.council, ImportForm(request.POST), act, about=asked.member.pk)
