"""What people do with the checks of a document: an owner allows a command, an operator has it run."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.http import HttpRequest, HttpResponse

from portal.core.access import Role, within
from portal.core.doors import Found, page
from reviews import verifying
from reviews.change_views import act_on
from reviews.models import Check, Review
from reviews.verification_forms import AllowForm, VerifyAllForm, VerifyForm
from reviews.views import find_review


class AskedCheck(NamedTuple):
    review: Review
    check: Check


def find_check(number: int, item: int) -> Found | None:
    found = find_review(number)
    asked = Check.objects.filter(review=found.object, n=item).first() if found and item < 2**31 else None
    if found is None or asked is None:
        return None
    asked.review = found.object
    return Found(AskedCheck(found.object, asked), found.scope)


@page("reviews.allow_command", within(Role.OWNER), find=find_check, methods=("POST",))
def allow(request: HttpRequest, asked_for: AskedCheck, number: int, item: int) -> HttpResponse:
    """The exact command may be run for the project, or may not any more."""
    review, check = asked_for

    def act(asked: dict[str, Any]) -> str:
        verifying.allow(check, by=request.user, **asked)  # type: ignore[arg-type]
        said = "may be run from now on" if asked["allowed"] else "is not run any more"
        return f"“{asked['command']}” {said}, whichever document of the project names it."

    return act_on(request, review, AllowForm(request.POST), act, about=item, anchor=f"#check-{item}")


@page("reviews.verify", within(Role.OPERATOR), find=find_check, methods=("POST",))
def verify(request: HttpRequest, asked_for: AskedCheck, number: int, item: int) -> HttpResponse:
    """Run one check at a commit."""
    review, check = asked_for

    def act(asked: dict[str, Any]) -> str:
        verifying.ask(check, at=asked["at"], by=request.user)  # type: ignore[arg-type]
        return "It is run by a worker. How it ended appears here."

    return act_on(request, review, VerifyForm(request.POST), act, about=item, anchor=f"#check-{item}")


@page("reviews.verify_all", within(Role.OPERATOR), find=find_review, methods=("POST",))
def verify_all(request: HttpRequest, review: Review, number: int) -> HttpResponse:
    """Run each check whose command is allowed."""

    def act(asked: dict[str, Any]) -> str:
        made = verifying.ask_all(review, at=asked["at"], by=request.user)  # type: ignore[arg-type]
        return f"{len(made)} check{'' if len(made) == 1 else 's'} run by a worker. How they ended appears here."

    return act_on(request, review, VerifyAllForm(request.POST), act, anchor="#checks")
