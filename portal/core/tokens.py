"""API tokens: 256 bits, shown once, stored as prefix and SHA-256, with an expiry and a scope."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from datetime import timedelta
from typing import Final

from portal.core import clock
from portal.core.lifecycle import Refused
from portal.core.models import ApiToken, User
from portal.core.unit import unit_of_work

MARK: Final = "srm"
LONGEST_DAYS: Final = 366
LONGEST_NAME_CHARS: Final = 80
_PREFIX: Final = re.compile(r"[0-9a-f]{8}")


def issue(user: User, *, name: str, days: int, may_write: bool) -> tuple[ApiToken, str]:
    """A new token of ``user`` and its text, which nobody sees again. Raises ``Refused``."""
    if not 1 <= days <= LONGEST_DAYS:
        raise Refused(f"A token lives for 1 to {LONGEST_DAYS} days.")
    name = name.strip()
    if not 1 <= len(name) <= LONGEST_NAME_CHARS:
        raise Refused(f"A token has a name of 1 to {LONGEST_NAME_CHARS} characters.")
    prefix, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
    with unit_of_work() as work:
        token = ApiToken.objects.create(
            user=user,
            name=name,
            prefix=prefix,
            digest=_digest(secret),
            may_write=may_write,
            expires_at=clock.now() + timedelta(days=days),
        )
        work.record("token.issued", f"token:{prefix}", after={"user": user.pk, "days": days, "may_write": may_write})
    return token, f"{MARK}_{prefix}_{secret}"


def revoke(token: ApiToken) -> None:
    """From now on the token opens nothing."""
    with unit_of_work() as work:
        if ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=clock.now()):
            work.record("token.revoked", f"token:{token.prefix}")


def find(text: str) -> ApiToken | None:
    """The live token of that text, its user active; None for anything else, told apart by nothing."""
    mark, _, rest = text.partition("_")
    prefix, _, secret = rest.partition("_")
    known = mark == MARK and _PREFIX.fullmatch(prefix) is not None
    found = ApiToken.objects.select_related("user").filter(prefix=prefix).first() if known else None
    # The comparison is made whether or not there is a row: both answers take the same time.
    same = hmac.compare_digest(found.digest if found else "0" * 64, _digest(secret))
    if found is None or not same or found.revoked_at or not found.user.is_active:
        return None
    now = clock.now()
    if found.expires_at <= now:
        return None
    if found.last_used_at is None or now - found.last_used_at > timedelta(minutes=1):
        ApiToken.objects.filter(pk=found.pk).update(last_used_at=now)
    return found


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
