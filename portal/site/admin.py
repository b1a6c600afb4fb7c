"""The admin site itself, and the pages of libraries in it."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib import admin
from django.contrib.auth.models import Group
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect

from portal.core import access
from portal.core.adminsite import ReadOnly


def _lets_in(request: HttpRequest) -> bool:
    """The admin's door is the rule ADMIN: a mark of staff alone opens nothing."""
    return access.may(request.user, access.ADMIN)


def _login(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
    """The admin's own login knows no second step: nobody is asked for a password here."""
    if _lets_in(request):
        return redirect("admin:index")
    if request.user.is_authenticated:
        raise PermissionDenied("Only people who administer this installation may open the admin.")
    return redirect_to_login(request.GET.get("next") or request.get_full_path())


admin.site.has_permission = _lets_in  # type: ignore[method-assign]
admin.site.login = _login  # type: ignore[method-assign,assignment]
admin.site.index_template = "portal/admin_index.html"

# In the order of the work; what is not named here comes last.
APPS: Final = {
    "tickets": "Tickets and projects",
    "reviews": "Reviews and findings",
    "deployments": "Deployments",
    "workers": "Workers and agents",
    "core": "Installation",
    "live": "Live streams",
    "axes": "Sign-in",
    "mfa": "Second steps",
}
_app_list = admin.site.get_app_list


def _apps(request: HttpRequest, app_label: str | None = None) -> list[dict[str, Any]]:
    """The admin's list of models, in the words of the portal, each with a sentence of what it is."""
    order = list(APPS)
    found = [
        {**app, "name": APPS.get(app["app_label"], app["name"]), "models": [_told(model) for model in app["models"]]}
        for app in _app_list(request, app_label)
    ]
    return sorted(found, key=lambda app: order.index(app["app_label"]) if app["app_label"] in APPS else len(order))


def _told(entry: dict[str, Any]) -> dict[str, Any]:
    model = entry["model"]
    page = admin.site._registry[model]
    said = type(page).__doc__ if type(page).__module__ == __name__ else model.__doc__
    # Django writes a signature where a model says nothing of itself.
    if not said or said.startswith(f"{model.__name__}("):
        told = ""
    else:
        told = said.strip().partition("\n")[0].partition(". ")[0].rstrip(".").replace("``", "") + "."
    return {**entry, "name": entry["name"].replace("Api ", "API "), "told": told}


admin.site.get_app_list = _apps  # type: ignore[method-assign]

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
