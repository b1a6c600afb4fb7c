"""What people say of the rows of a plan: parse, one call inward, the page again or its refusal."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from portal.core.access import Role, within
from portal.core.doors import page
from reviews import dispositions
from reviews.change_views import AskedRow, act_on, find_row
from reviews.models import Review
from reviews.plan_forms import ChooseForm, DisposeForm, RestForm
from reviews.views import find_review
from reviews.wording import counted


@page("reviews.dispose", within(Role.REVIEWER), find=find_row, methods=("POST",))
def dispose(request: HttpRequest, asked_for: AskedRow, number: int, row: int) -> HttpResponse:
    review, found = asked_for

    def act(asked: dict[str, Any]) -> str:
        said = {name: asked[name] for name in ("disposition", "reason", "evidence", "merge_into", "expected_version")}
        dispositions.dispose(found, **said)
        return ""

    return act_on(request, review, DisposeForm(request.POST), act, about=row, anchor=f"#row-{found.n}")


@page("reviews.choose", within(Role.REVIEWER), find=find_row, methods=("POST",))
def choose(request: HttpRequest, asked_for: AskedRow, number: int, row: int) -> HttpResponse:
    review, found = asked_for

    def act(asked: dict[str, Any]) -> str:
        dispositions.choose(found, asked["finding"], expected_version=asked["expected_version"])
        return ""

    return act_on(request, review, ChooseForm(request.POST), act, about=row, anchor=f"#row-{found.n}")


@page("reviews.dispose_rest", within(Role.REVIEWER), find=find_review, methods=("POST",))
def dispose_rest(request: HttpRequest, review: Review, number: int) -> HttpResponse:
    def act(asked: dict[str, Any]) -> str:
        said, version = asked["disposition"], asked["expected_version"]
        done = dispositions.dispose_rest(review, said, expected_version=version)
        label = dict(RestForm.base_fields["disposition"].choices)[said].lower()  # type: ignore[attr-defined]
        return f"{counted(done, 'finding')}: {label}."

    return act_on(request, review, RestForm(request.POST), act, anchor="#plan")
