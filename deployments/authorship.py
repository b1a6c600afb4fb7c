"""Who wrote what a deployment brings, as far as the portal knows them: they do not approve it.

Git names the author of a commit by an e-mail address; a person of the portal
with that address is its author. Who assigned an agent, or accepted its work,
asked for it and judged it, and is none.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from django.db.models import Q, TextField, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Coalesce, Concat, Lower, StrIndex
from django.db.models.lookups import Exact

from deployments.models import Deployment
from portal.core import bulk
from portal.core.models import User

# the newest of the commits, and as many people as one plan names
COMMITS_READ: Final = 2000
NAMED: Final = 200
_KEY: Final = "authors"


def known(addresses: Iterable[str]) -> dict[str, Any]:
    """The part of a deployment's changes that names them."""
    found: set[int] = set()
    for chunk in bulk.chunks(sorted({address.lower() for address in addresses})):
        rows = User.objects.annotate(address=Lower("email")).filter(address__in=chunk, is_active=True)
        found.update(rows.values_list("pk", flat=True))
    return {_KEY: [f"user:{number}" for number in sorted(found)[:NAMED]]}


def kept(changes: dict[str, Any]) -> dict[str, Any]:
    """The same, of a plan that is made anew without looking at the commits."""
    return {_KEY: changes.get(_KEY, [])}


def wrote(deployment: Deployment, person: User) -> bool:
    return f"user:{person.pk}" in deployment.changes.get(_KEY, [])


def not_written_by(person: Any) -> Q:
    """Deployments that bring no commit of ``person``, as far as is known."""
    # With its quotes: no other number begins so. The number stands alone, for statements that are kept for many.
    name = Concat(Value('"user:'), Cast(Value(person.pk), TextField()), Value('"'), output_field=TextField())
    named = Coalesce(KeyTextTransform(_KEY, "changes"), Value(""), output_field=TextField())
    return Q(Exact(StrIndex(named, name), 0))
