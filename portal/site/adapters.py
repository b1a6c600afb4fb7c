"""Accounts are made by an admin; a refused login says how many tries are left."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from axes.handlers.proxy import AxesProxyHandler
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest


class ClosedSignup(DefaultAccountAdapter):  # type: ignore[misc]
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def authenticate(self, request: HttpRequest, **credentials: Any) -> Any:
        # Failures are counted for an account, in any spelling, under the name that axes knows it by.
        return super().authenticate(request, login=_account(credentials.get("email", "")), **credentials)

    def validation_error(self, code: str, *args: Any) -> ValidationError:
        if code != "email_password_mismatch":
            error: ValidationError = super().validation_error(code, *args)
            return error
        failures = AxesProxyHandler.get_failures(
            context.request, {"login": _account(context.request.POST.get("login", ""))}
        )
        left = max(settings.LIMITS["LOGIN_FAILURES"] - failures, 0)
        tries = "1 try is" if left == 1 else f"{left} tries are"
        return ValidationError(f"The e-mail address or the password is wrong. {tries} left.", code=code)


def _account(email: str) -> str:
    return email.strip().lower()
