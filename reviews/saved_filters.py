"""Filters of the list of findings that people keep under a name, for themselves or for everybody."""

from __future__ import annotations

from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from django.db import IntegrityError
from django.db.models import Q
from django.http import QueryDict

from portal.core import limits
from portal.core.lifecycle import Gone, Refused
from portal.core.models import User
from portal.core.unit import unit_of_work
from reviews.forms import FindingFilter
from reviews.models import SavedFilter

QUERY_CHARS: Final = 1000
# of those that others share
SHARED_SHOWN: Final = 50


class Loaded(NamedTuple):
    """The query as the form of today reads it, and whether something of it is no filter any more."""

    query: str
    cut: bool


def canonical(data: Any) -> Loaded:
    """What of an address is a filter, by the form and never by itself."""
    form = FindingFilter(data)
    form.is_valid()
    kept = {name: form.cleaned_data.get(name) or "" for name in form.fields}
    return Loaded(urlencode({name: value for name, value in kept.items() if value}), bool(form.errors))


def load(reader: Any, number: int) -> Loaded | None:
    """The saved filter of that number that ``reader`` is offered; None for any other."""
    saved = offered(reader).filter(pk=number).first()
    return canonical(QueryDict(saved.query)) if saved else None


def offered(reader: Any) -> Any:
    """One's own, and those that others share."""
    rows = SavedFilter.objects.filter(Q(user=reader.pk) | Q(shared=True, user__is_active=True))
    return rows.select_related("user")


class Offered(NamedTuple):
    own: list[SavedFilter]
    shared: list[SavedFilter]
    cut: bool


def listed(reader: Any) -> Offered:
    """Own filters by name, then those of others; one query, bounded, and said where it is cut."""
    most = limits.value("SAVED_FILTERS_ROWS") + SHARED_SHOWN
    rows = list(offered(reader).order_by("name", "pk")[: most + 1])
    own = [row for row in rows if row.user_id == reader.pk]
    shared = [row for row in rows if row.user_id != reader.pk]
    return Offered(own, shared[:SHARED_SHOWN], len(rows) > most or len(shared) > SHARED_SHOWN)


def keep(user: User, *, title: str, data: Any, shared: bool) -> SavedFilter:
    """Keep the filter in ``data`` under ``title``; one of that name becomes this one. Raises ``Refused``."""
    query, cut = canonical(data)
    if cut:
        raise Refused("A part of this filter cannot be read. Filter the list again, then save it.")
    if not query:
        raise Refused("Nothing is filtered: choose what the list shows, then save that.")
    if len(query) > QUERY_CHARS:
        raise Refused(f"A filter of at most {QUERY_CHARS:,} characters is saved; this one has {len(query):,}.")
    with unit_of_work() as work:
        # The lock on the person orders two that save at once: neither is one too many.
        User.objects.select_for_update().filter(pk=user.pk).first()
        mine = SavedFilter.objects.filter(user=user)
        if not mine.filter(name=title).update(query=query, shared=shared):
            most = limits.value("SAVED_FILTERS_ROWS")
            if mine.count() >= most:
                raise Refused(f"You have {most:,} saved filters, which is all there is room for. Delete one first.")
            SavedFilter.objects.create(user=user, name=title, query=query, shared=shared)
        saved = mine.get(name=title)
        work.record("saved_filter.saved", subject(saved), after={"name": title, "query": query, "shared": shared})
    return saved


def change(saved: SavedFilter, *, title: str, shared: bool) -> SavedFilter:
    """Another name, or offered to others or not any more. Raises ``Refused``."""
    before = {"name": saved.name, "shared": saved.shared}
    try:
        with unit_of_work() as work:
            if not SavedFilter.objects.filter(pk=saved.pk).update(name=title, shared=shared):
                raise Gone("This filter is not there any more.")
            work.record("saved_filter.changed", subject(saved), before=before, after={"name": title, "shared": shared})
    except IntegrityError:
        raise Refused(f"You have another filter of the name “{title}”.") from None
    saved.name, saved.shared = title, shared
    return saved


def delete(saved: SavedFilter) -> None:
    """Gone for everybody; who deletes it twice has deleted it."""
    with unit_of_work() as work:
        number, _ = SavedFilter.objects.filter(pk=saved.pk).delete()
        if number:
            work.record("saved_filter.deleted", subject(saved), before={"name": saved.name, "query": saved.query})


def subject(saved: SavedFilter) -> str:
    return f"saved_filter:{saved.pk}"
