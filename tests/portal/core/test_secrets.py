"""The secret store: sealed with a key that is not in the database, opened at the moment of use."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from portal.core import redaction, secrets
from portal.core.models import Activity, Secret
from portal.core.secrets import SecretUnreadable

pytestmark = pytest.mark.django_db
CANARY = "canary-7f3d9a-value"


@pytest.fixture(autouse=True)
def _own_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_known", set())


def dump() -> str:
    """Every value of every table, as text."""
    written: list[str] = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            written += [repr(row) for row in cursor.fetchall()]
    return "\n".join(written)


def test_a_value_comes_back_as_it_was() -> None:
    for value in (CANARY, "ünïcödé \n key", "x" * 20_000):
        secrets.store("deploy-key", value)
        assert secrets.reveal("deploy-key") == value


def test_the_database_does_not_hold_it() -> None:
    secrets.store("deploy-key", CANARY)
    found = dump()
    assert "deploy-key" in found
    assert CANARY not in found


def test_a_value_sealed_with_another_key_is_unreadable_and_says_what_to_do(settings: Any) -> None:
    secrets.store("deploy-key", CANARY)
    settings.SECRETS_KEY = "k" * 64
    with pytest.raises(SecretUnreadable, match="deploy-key was sealed with another SECRETS_KEY; store it again") as no:
        secrets.reveal("deploy-key")
    assert CANARY not in str(no.value)


def test_a_value_that_was_tampered_with_is_unreadable() -> None:
    secrets.store("deploy-key", CANARY)
    sealed = Secret.objects.get().sealed
    Secret.objects.update(sealed=sealed[:-6] + ("A" if sealed[-6] != "A" else "B") + sealed[-5:])
    with pytest.raises(SecretUnreadable):
        secrets.reveal("deploy-key")


def test_a_name_that_is_not_there_is_named() -> None:
    with pytest.raises(SecretUnreadable, match="no secret named missing"):
        secrets.reveal("missing")


def test_revealing_teaches_the_redaction() -> None:
    secrets.store("deploy-key", CANARY)
    # As another process would be: it has not seen the value yet.
    redaction._known.clear()
    assert redaction.redact(CANARY) == CANARY
    secrets.reveal("deploy-key")
    assert redaction.redact(f"it is {CANARY}") == f"it is {redaction.MARK}"


def test_storing_again_replaces_and_both_are_history_without_the_value() -> None:
    first = secrets.store("deploy-key", CANARY)
    changed = first.changed_at
    again = secrets.store("deploy-key", "another-value")
    assert again.pk == first.pk
    assert Secret.objects.get().changed_at > changed
    assert secrets.reveal("deploy-key") == "another-value"
    assert list(Activity.objects.order_by("pk").values_list("verb", "subject")) == [
        ("secret.stored", "secret:deploy-key"),
        ("secret.replaced", "secret:deploy-key"),
    ]


def test_the_same_value_sealed_twice_does_not_look_the_same() -> None:
    assert secrets.store("a", CANARY).sealed != secrets.store("b", CANARY).sealed
