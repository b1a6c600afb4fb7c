"""The filtered list of deployments as a file."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from deployments import history, queries
from deployments.forms import DeploymentFilter
from portal.core.access import SIGNED_IN
from portal.core.doors import page
from tickets import lists


@page("deployments.file", SIGNED_IN)
def as_file(request: HttpRequest) -> HttpResponse:
    """What cannot be read of the filter is left out, as on the list."""
    return history.as_csv(queries.matching(request.user, lists.wanted_of(DeploymentFilter(request.GET))))
