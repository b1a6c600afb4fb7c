"""How deployments go, as figures."""

from __future__ import annotations

from typing import Any, Literal

from django.http import HttpRequest
from ninja import Field, Query, Schema

from deployments import figure_files, figure_forms
from deployments.figure_forms import FiguresFilter
from deployments.figures import Figures, Report, of
from portal.api.doors import Unfit, operation
from portal.api.shapes import Strict
from portal.core.access import SIGNED_IN
from portal.core.charts import Spread
from tickets.queries import projects_of


class FiguresAsked(Strict):
    project: str = Field("", max_length=10)
    service: str = Field("", max_length=60)
    environment: str = Field("", max_length=60)
    # days in UTC, such as 2026-11-28, both in; without them the last 90 days
    since: str = Field("", max_length=20)
    until: str = Field("", max_length=20)
    format: Literal["json", "csv"] = "json"


class SpreadOut(Schema):
    # of how many
    number: int
    median_seconds: float
    # nine of ten were shorter
    slow_seconds: float


class FiguresOut(Schema):
    # empty for all together
    project: str
    service: str
    environment: str
    live: int
    live_per_week: float
    # ended without having gone live; went live, and was taken back, or was healthy no more
    failed: int
    taken_back: int
    degraded: int
    # in percent of those that went live or failed; null where there were none
    failure_rate: int | None
    # null where none is known
    lead: SpreadOut | None
    restore: SpreadOut | None
    # failures after which nothing had gone live at the end
    unrestored: int
    # left out of the lead time: over something that is not known; accepted after it was live
    over_unknown: int
    live_before_accepted: int


class BucketOut(Schema):
    first: str
    last: str
    live: int
    failed: int


class ReportOut(Schema):
    since: str
    until: str
    all: FiguresOut
    # at most 100
    places: list[FiguresOut]
    places_more: int
    # days, or weeks where more than a month is asked of
    buckets: list[BucketOut]
    # there was more history than is read: counted is what happened from this day on
    cut_before: str | None


@operation("get", "/deployments/figures", "api.deployments.figures", SIGNED_IN, query=FiguresAsked, response=ReportOut)
def figures(request: HttpRequest, asked: Query[FiguresAsked]) -> Any:
    """The four figures of the projects that the token's user sees, of all together and of each place."""
    said = {name: value for name, value in asked.dict().items() if name != "format"}
    form = FiguresFilter(said)
    if not form.is_valid():
        name, problems = next(iter(form.errors.items()))
        raise Unfit(name, " ".join(map(str, problems)))
    wanted = {name: form.cleaned_data.get(name) or "" for name in form.fields}
    found = of(figure_forms.asked(wanted, projects_of(request.user)))
    return figure_files.as_csv(found) if asked.format == "csv" else _shown(found)


def _shown(found: Report) -> dict[str, Any]:
    return {
        "since": found.asked.since.isoformat(),
        "until": found.asked.until.isoformat(),
        "all": _figures(found.whole),
        "places": [_figures(one) for one in found.places],
        "places_more": found.places_more,
        "buckets": [
            {"first": one.first.isoformat(), "last": one.last.isoformat(), "live": one.live, "failed": one.failed}
            for one in found.buckets
        ],
        "cut_before": found.from_day.isoformat() if found.from_day else None,
    }


def _figures(one: Figures) -> dict[str, Any]:
    place = one.place
    return {
        "project": place.project if place else "",
        "service": place.service if place else "",
        "environment": place.environment if place else "",
        "live": one.live,
        "live_per_week": one.per_week,
        "failed": one.failed,
        "taken_back": one.taken_back,
        "degraded": one.degraded,
        "failure_rate": one.rate,
        "lead": _spread(one.lead),
        "restore": _spread(one.restore),
        "unrestored": one.unrestored,
        "over_unknown": one.unknown,
        "live_before_accepted": one.early,
    }


def _spread(found: Spread | None) -> dict[str, Any] | None:
    if found is None:
        return None
    number, median, slow = found
    return {"number": number, "median_seconds": median.total_seconds(), "slow_seconds": slow.total_seconds()}
