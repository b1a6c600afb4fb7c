"""The filtered list of findings as a file."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from portal.core.access import SIGNED_IN
from portal.core.doors import page
from reviews.exporting import download
from reviews.forms import FindingFilter
from reviews.queries import findings as queries
from tickets import lists


@page("findings.export", SIGNED_IN)
def export(request: HttpRequest, form: str) -> HttpResponseBase:
    """In the form that the address names; what cannot be read of the filter is left out, as on the list."""
    wanted = lists.wanted_of(FindingFilter(request.GET))
    return download.of(queries.matching(request.user, wanted), form)
