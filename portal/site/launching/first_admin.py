"""The first admin: an account without a password, and a link that sets one, once."""

from __future__ import annotations

import os
from pathlib import Path

from django.conf import settings
from django.urls import reverse

from portal.core import cause
from portal.core.models import User
from portal.core.unit import unit_of_work


def link_file() -> Path:
    path: Path = settings.DATA_DIR / "first-admin.txt"
    return path


def ensure() -> None:
    """Make the account where there is no admin, and leave a fresh link while it has no password.

    A link works once and for SETUP_LINK_HOURS; the one of an earlier start is
    replaced, and the file goes when the password is set.
    """
    admin = _admin_without_password() if User.objects.filter(is_superuser=True).exists() else _create()
    if admin is None:
        link_file().unlink(missing_ok=True)
    else:
        _write(f"{admin.email}\n{set_password_link(admin)}\n")


def set_password_link(user: User) -> str:
    """A one-time link: it stops working when the password, the address or the last login changes."""
    from allauth.account.forms import default_token_generator
    from allauth.account.utils import user_pk_to_url_str

    key = default_token_generator.make_token(user)
    path = reverse("account_reset_password_from_key", kwargs={"uidb36": user_pk_to_url_str(user), "key": key})
    return settings.BASE_URL.rstrip("/") + path


def _create() -> User:
    with cause.acting(cause.Actor("command", "up", "first start")), unit_of_work() as unit:
        admin = User.objects.create_superuser(settings.ADMIN_EMAIL)
        unit.record(
            "created",
            f"user:{admin.pk}",
            after={"email": admin.email, "is_superuser": True},
            reason="No admin existed.",
        )
    return admin


def _admin_without_password() -> User | None:
    """The account to set up: only while no admin at all could sign in."""
    admins = list(User.objects.filter(is_superuser=True, is_active=True).order_by("pk"))
    if not admins or any(admin.has_usable_password() for admin in admins):
        return None
    return admins[0]


def _write(text: str) -> None:
    path = link_file()
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    # O_EXCL: nobody can have put a link of theirs in its place.
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    draft.rename(path)
