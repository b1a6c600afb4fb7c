"""The secret store: values encrypted with a key that is not in the database.

Records hold references (names); a value is opened at the moment of use, by
code that was told which, and is learnt by the redaction then.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings

from portal.core import redaction
from portal.core.lifecycle import Refused
from portal.core.models import Secret
from portal.core.unit import unit_of_work

# A shorter value would be found where it is a word.
SHORTEST_SEARCHED_CHARS: Final = 8
# Lines of a key, tokens in a file of JSON.
_BETWEEN: Final = re.compile(r"[\s\"',;:{}\[\]]+")
_PART: Final = re.compile(r"(?=(?:\D*\d){3})(?=(?:[^A-Za-z]*[A-Za-z]){3}).{20,}")


class SecretUnreadable(Refused):
    """The value was sealed with another key, or there is none of that name."""


def _box() -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(settings.SECRETS_KEY.encode()).digest()))


def store(name: str, value: str) -> Secret:
    """Seal ``value`` under ``name``; an older value of that name is gone then."""
    redaction.learn([value])
    sealed = _box().encrypt(value.encode()).decode()
    with unit_of_work() as work:
        secret, made = Secret.objects.update_or_create(name=name, defaults={"sealed": sealed})
        work.record("secret.stored" if made else "secret.replaced", f"secret:{name}")
    return secret


@contextmanager
def all_known() -> Iterator[None]:
    """The redaction knows every value of the store within the block, and what in it is a secret by itself."""
    with ExitStack() as known:
        for sealed in Secret.objects.order_by("name").values_list("sealed", flat=True):
            try:
                value = _box().decrypt(sealed.encode()).decode()
            except InvalidToken:
                continue
            for part in {value.strip(), *filter(_PART.fullmatch, _BETWEEN.split(value))}:
                if len(part) >= SHORTEST_SEARCHED_CHARS:
                    known.enter_context(redaction.knowing(part))
        yield


def reveal(name: str) -> str:
    """The value of ``name``. Raises ``SecretUnreadable``."""
    sealed = Secret.objects.filter(name=name).values_list("sealed", flat=True).first()
    if sealed is None:
        raise SecretUnreadable(f"There is no secret named {name}. An admin can store it under Secrets.")
    try:
        value = _box().decrypt(sealed.encode()).decode()
    except InvalidToken:
        raise SecretUnreadable(f"The secret {name} was sealed with another SECRETS_KEY; store it again.") from None
    redaction.learn([value])
    return value
