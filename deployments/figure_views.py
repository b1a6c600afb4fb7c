"""How deployments go, as figures: a page with charts, and the same numbers as a file."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from deployments import figure_charts, figure_files, figures
from deployments.figure_forms import FiguresFilter, asked
from portal.core import limits
from portal.core.access import SIGNED_IN
from portal.core.doors import page
from tickets import lists
from tickets.queries import projects_of


@page("deployments.figures", SIGNED_IN)
def of_deployments(request: HttpRequest) -> HttpResponse:
    form = FiguresFilter(request.GET)
    wanted = lists.wanted_of(form)
    projects = projects_of(request.user)
    found = figures.of(asked(wanted, projects))
    context = {
        "form": form,
        "wanted": wanted,
        "kept": {name: value for name, value in wanted.items() if value},
        "projects": projects,
        "report": found,
        "chart": figure_charts.columns(found.buckets),
        "leads": figure_charts.times(found.places, lambda one: one.lead),
        "restores": figure_charts.times(found.places, lambda one: one.restore),
        "bars_room": figure_charts.BARS_WIDTH,
        "most": limits.value("FIGURES_EVENTS_ROWS"),
    }
    return render(request, "deployments/figures.html", context)


@page("deployments.figures_file", SIGNED_IN)
def as_file(request: HttpRequest) -> HttpResponse:
    wanted = lists.wanted_of(FiguresFilter(request.GET))
    projects = projects_of(request.user)
    return figure_files.as_csv(figures.of(asked(wanted, projects)))
