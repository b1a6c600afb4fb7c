"""The admin site itself, and the pages of libraries in it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from allauth.account.decorators import secure_admin_login
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib import admin
from django.contrib.auth.models import Group
from django.http import HttpRequest

from portal.core.adminsite import ReadOnly

# The admin's own login knows no second step: people are sent to the one login.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
admin.site.index_template = "portal/admin_index.html"

# Theirs first, so that ours take their places.
for library in ("django.contrib.auth", "allauth.account", "allauth.mfa", "axes"):
    import_module(f"{library}.admin")
for model in (Group, EmailAddress, Authenticator, AccessAttempt, AccessFailureLog, AccessLog):
    if admin.site.is_registered(model):
        admin.site.unregister(model)


@admin.register(AccessAttempt)
class AccessAttemptPage(ReadOnly):
    """Wrong passwords. Deleting a row lifts its lock."""

    list_display = ("attempt_time", "username", "ip_address", "failures_since_start")
    search_fields = ("username", "ip_address")
    exclude = ("get_data", "post_data")
    ordering = ("-attempt_time",)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_administer_permission(request)


@admin.register(AccessLog)
class AccessLogPage(ReadOnly):
    list_display = ("attempt_time", "logout_time", "username", "ip_address")
    search_fields = ("username", "ip_address")
    exclude = ("session_hash",)
    ordering = ("-attempt_time",)


@admin.register(Authenticator)
class AuthenticatorPage(ReadOnly):
    """Second steps. Deleting one lets its owner in by password alone, to set up another."""

    list_display = ("user", "type", "created_at", "last_used_at")
    list_filter = ("type",)
    list_select_related = ("user",)
    search_fields = ("user__email",)
    # the secret itself is nobody's to read
    exclude = ("data",)
    ordering = ("-id",)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_administer_permission(request)
