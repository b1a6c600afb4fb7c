"""The forms of the account pages: allauth's, in the words and the look of the portal."""

from __future__ import annotations

from typing import Any, Final

from allauth.account import forms as account
from allauth.mfa.base import forms as mfa
from allauth.mfa.totp import forms as totp
from django import forms

LABELS: Final = {
    "email": "E-mail address",
    "oldpassword": "Current password",
    "password": "Password",
    "password1": "New password",
    "password2": "New password, again",
    "code": "Code",
}


class Plain(forms.Form):
    """A label says what a field is: no placeholder repeats it, no colon ends it."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.label_suffix = ""
        for name, field in self.fields.items():
            field.label = LABELS.get(name, field.label)
            field.widget.attrs.pop("placeholder", None)


class ChangePassword(Plain, account.ChangePasswordForm):  # type: ignore[misc]
    pass


class SetPassword(Plain, account.SetPasswordForm):  # type: ignore[misc]
    pass


class ResetPassword(Plain, account.ResetPasswordForm):  # type: ignore[misc]
    pass


class ResetPasswordKey(Plain, account.ResetPasswordKeyForm):  # type: ignore[misc]
    pass


class Reauthenticate(Plain, account.ReauthenticateForm):  # type: ignore[misc]
    pass


class SecondStep(Plain, mfa.AuthenticateForm):  # type: ignore[misc]
    pass


class SecondStepAgain(Plain, mfa.ReauthenticateForm):  # type: ignore[misc]
    pass


class ActivateTOTP(Plain, totp.ActivateTOTPForm):  # type: ignore[misc]
    pass
