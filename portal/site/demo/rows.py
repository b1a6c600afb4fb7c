"""Everything that hangs on a row, found by the models themselves, and deleted at once.

What a table forbids to delete by itself may go together with what it
protects: foreign keys are looked at when the transaction ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.db import models

from portal.core import bulk

Rows = dict[type[models.Model], set[Any]]


def below(roots: Rows) -> Rows:
    """``roots``, and every row that cannot be without one of them."""
    found: Rows = {model: set(pks) for model, pks in roots.items()}
    todo = [(model, set(pks)) for model, pks in roots.items()]
    while todo:
        model, pks = todo.pop()
        for field in _pointing_at(model):
            if field.remote_field.on_delete is models.SET_NULL:
                continue
            owner = field.model
            new = set(_pks(owner, field, pks)) - found.setdefault(owner, set())
            if new:
                found[owner] |= new
                todo.append((owner, new))
    return {model: pks for model, pks in found.items() if pks}


def delete(found: Rows) -> int:
    """Delete these rows, and let go of them where others only name them; returns how many. Call it in a transaction."""
    for model, pks in found.items():
        for chunk in bulk.chunks(sorted(pks)):
            rows = model._base_manager.filter(pk__in=chunk)
            # Not ``delete``, which would refuse for each row that another one protects, both being here.
            rows._raw_delete(rows.db)
    for model, pks in found.items():
        for field in _pointing_at(model):
            if field.remote_field.on_delete is models.SET_NULL:
                for chunk in bulk.chunks(sorted(pks)):
                    field.model._base_manager.filter(**{f"{field.name}__in": chunk}).update(**{field.name: None})
    return sum(len(pks) for pks in found.values())


def _pointing_at(model: type[models.Model]) -> Iterator[Any]:
    """The foreign keys to ``model``, hidden ones too."""
    for relation in model._meta.get_fields(include_hidden=True):
        if relation.auto_created and not relation.concrete and (relation.one_to_many or relation.one_to_one):
            yield relation.field  # type: ignore[union-attr]


def _pks(owner: type[models.Model], field: Any, pks: Iterable[Any]) -> Iterator[Any]:
    for chunk in bulk.chunks(sorted(pks)):
        yield from owner._base_manager.filter(**{f"{field.name}__in": chunk}).values_list("pk", flat=True)
