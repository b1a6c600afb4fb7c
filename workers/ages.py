"""The ages by which jobs are narrowed, on the pages and in the admin."""

from __future__ import annotations

from typing import Final

from django.db.models import Q

from portal.core.clock import Wall

# By their value in an address: words and seconds.
AGES: Final = {
    "1h": ("Older than 1 hour", 3600),
    "1d": ("Older than 1 day", 86_400),
    "7d": ("Older than 7 days", 604_800),
    "30d": ("Older than 30 days", 2_592_000),
}
CHOICES: Final = [(name, words) for name, (words, _) in AGES.items()]


def older_than(age: str) -> Q:
    """Made at least so long ago, by the database's clock; everything for what is no age."""
    return Q(created_at__lt=Wall(-AGES[age][1])) if age in AGES else Q()
