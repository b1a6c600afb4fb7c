"""Numbers that are unique and without a gap: allocated under the lock of a counter row.

The counter lives in a table of its own, in no form. The UPDATE locks the row
until the caller's transaction ends, so a rollback gives the number back and
nobody else can have had it. (``max(number) + 1`` gave two tickets one key.)
"""

from __future__ import annotations

from django.db import connection, models, transaction


def allocate(counters: type[models.Model], *, pk: int | str, count: int = 1) -> range:
    """Take the next ``count`` numbers of the counter row ``pk``.

    The model has an integer ``last``. Must run inside a transaction; raises
    ``LookupError`` where there is no such row.
    """
    if count < 1:
        raise ValueError("At least one number is taken.")
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("Numbers are allocated inside the transaction that uses them.")
    table, key = counters._meta.db_table, counters._meta.pk.column
    with connection.cursor() as cursor:
        cursor.execute(f'UPDATE "{table}" SET last = last + %s WHERE "{key}" = %s RETURNING last', [count, pk])
        row = cursor.fetchone()
    if row is None:
        raise LookupError(f"{table} has no row {pk}")
    return range(row[0] - count + 1, row[0] + 1)


def raise_to(counters: type[models.Model], *, pk: int | str, number: int) -> bool:
    """Move the counter row ``pk`` up to ``number``; false where it stands there or above (nothing written).

    Whatever was below and is skipped is not given by ``allocate`` any more.
    Must run inside the transaction that uses the number.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("Numbers are taken inside the transaction that uses them.")
    return counters._default_manager.filter(pk=pk, last__lt=number).update(last=number) == 1
