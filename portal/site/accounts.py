"""The account pages of allauth that this installation has: exactly these, each behind a declared door."""

from __future__ import annotations

from allauth.account import views as account
from allauth.mfa.base import views as mfa
from allauth.mfa.recovery_codes import views as codes
from allauth.mfa.totp import views as totp
from django.urls import URLPattern, path, re_path

from portal.core.access import PUBLIC, SIGNED_IN
from portal.core.doors import View, outside
from portal.site import views


def signed_in(route: str, view: View, name: str) -> URLPattern:
    return path(route, outside(f"accounts.{name}", SIGNED_IN, view), name=name)


def public(route: str, view: View, name: str) -> URLPattern:
    return path(route, outside(f"accounts.{name}", PUBLIC, view), name=name)


urlpatterns = [
    public("login/", account.login, "account_login"),
    public("logout/", account.logout, "account_logout"),
    public("inactive/", account.account_inactive, "account_inactive"),
    path("signup/", views.no_signup, name="account_signup"),
    path("email/", views.no_email_change, name="account_email"),
    signed_in("password/change/", account.password_change, "account_change_password"),
    signed_in("password/set/", account.password_set, "account_set_password"),
    public("password/reset/", account.password_reset, "account_reset_password"),
    public("password/reset/done/", account.password_reset_done, "account_reset_password_done"),
    re_path(
        r"^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        outside("accounts.account_reset_password_from_key", PUBLIC, account.password_reset_from_key),
        name="account_reset_password_from_key",
    ),
    public("password/reset/key/done/", account.password_reset_from_key_done, "account_reset_password_from_key_done"),
    signed_in("reauthenticate/", account.reauthenticate, "account_reauthenticate"),
    signed_in("2fa/", mfa.index, "mfa_index"),
    # In the midst of signing in: who does it is not signed in yet.
    public("2fa/authenticate/", mfa.authenticate, "mfa_authenticate"),
    signed_in("2fa/reauthenticate/", mfa.reauthenticate, "mfa_reauthenticate"),
    signed_in("2fa/totp/activate/", totp.activate_totp, "mfa_activate_totp"),
    signed_in("2fa/totp/deactivate/", totp.deactivate_totp, "mfa_deactivate_totp"),
    signed_in("2fa/recovery-codes/", codes.view_recovery_codes, "mfa_view_recovery_codes"),
    signed_in("2fa/recovery-codes/generate/", codes.generate_recovery_codes, "mfa_generate_recovery_codes"),
    signed_in("2fa/recovery-codes/download/", codes.download_recovery_codes, "mfa_download_recovery_codes"),
]
