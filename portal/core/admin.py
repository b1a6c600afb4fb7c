"""People, history, secrets and tokens in the admin."""

from __future__ import annotations

from typing import Any, ClassVar

from allauth.account.models import EmailAddress
from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.forms import AdminPasswordChangeForm, UserCreationForm
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from portal.core import secrets, tokens
from portal.core.adminsite import Admin, ReadOnly, Record
from portal.core.models import Activity, ApiToken, AppliedMigration, Notification, Rehearsal, Secret, User, WebProcess
from portal.core.unit import unit_of_work


class NewUser(UserCreationForm):  # type: ignore[misc]
    class Meta:
        model = User
        fields = ("email", "name", "is_superuser", "is_staff")


class PasswordForm(AdminPasswordChangeForm):  # type: ignore[misc]
    """Writes the password alone: the rest of the row may have moved meanwhile."""

    def set_password_and_save(self, user: User, password_field_name: str = "password1", commit: bool = True) -> User:
        user.set_password(self.cleaned_data[password_field_name])
        with unit_of_work() as work:
            User.objects.filter(pk=user.pk).update(password=user.password)
            work.record("user.password_set", f"user:{user.pk}")
        return user


@admin.register(User)
class UserPage(Admin, UserAdmin):  # type: ignore[type-arg,misc]
    kind = "user"
    add_form = NewUser
    change_password_form = PasswordForm
    form = forms.ModelForm
    ordering = ("email",)
    list_display = ("email", "name", "is_superuser", "is_active", "last_login")
    list_filter = ("is_superuser", "is_active")
    search_fields = ("email", "name")
    filter_horizontal = ()
    readonly_fields = ("last_login", "date_joined")
    fieldsets = (
        (None, {"fields": ("email", "name", "theme")}),
        ("What they may do", {"fields": ("is_active", "is_superuser", "is_staff")}),
        ("Since when", {"fields": ("last_login", "date_joined", "history")}),
    )
    add_fieldsets = ((None, {"fields": ("email", "name", "is_superuser", "is_staff", "password1", "password2")}),)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """History names people: they are switched off, not deleted."""
        return False

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if "email" in form.changed_data:
            # The login would go on to accept the address that was.
            EmailAddress.objects.filter(user=obj).delete()


@admin.register(Activity)
class ActivityPage(ReadOnly):
    list_display = ("at", "actor_label", "verb", "subject", "reason", "request_id")
    list_filter = ("actor_kind",)
    search_fields = ("subject", "actor_label", "verb", "request_id")
    ordering = ("-id",)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ()

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return lookup == "subject" or super().lookup_allowed(lookup, value, request)


@admin.register(Notification)
class NotificationPage(Record):
    list_display = ("at", "user", "title", "verb", "subject", "read_at")
    list_select_related = ("user",)
    search_fields = ("title", "subject", "verb", "user__email")
    ordering = ("-at", "-id")


class SecretForm(forms.ModelForm):  # type: ignore[type-arg]
    value = forms.CharField(
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "off"}),
        strip=False,
        max_length=20_000,
        help_text="Stored encrypted; never shown again. A new value replaces the one before.",
    )

    class Meta:
        model = Secret
        fields = ("name",)
        widgets: ClassVar = {"name": UnfoldAdminTextInputWidget}


@admin.register(Secret)
class SecretPage(Admin):
    kind = "secret"
    form = SecretForm
    list_display = ("name", "changed_at")
    search_fields = ("name",)

    def subject_of(self, row: Secret) -> str:
        return f"secret:{row.name}"

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        own = super().get_readonly_fields(request, obj)
        return ("name", *own) if obj else own

    def save_model(self, request: HttpRequest, obj: Secret, form: Any, change: bool) -> None:
        obj.pk = secrets.store(obj.name, form.cleaned_data["value"]).pk


class NewToken(forms.ModelForm):  # type: ignore[type-arg]
    """What issuing takes; the token's text is made, not typed."""

    user = forms.ModelChoiceField(User.objects.filter(is_active=True).order_by("email"), widget=UnfoldAdminSelectWidget)
    days = forms.IntegerField(
        min_value=1,
        max_value=tokens.LONGEST_DAYS,
        initial=90,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=f"It opens nothing afterwards. At most {tokens.LONGEST_DAYS}.",
    )

    class Meta:
        model = ApiToken
        fields = ("user", "name", "may_write")
        widgets: ClassVar = {"name": UnfoldAdminTextInputWidget, "may_write": UnfoldBooleanSwitchWidget}


@admin.register(ApiToken)
class ApiTokenPage(ReadOnly):
    """Tokens are issued here and revoked; nothing of one is ever changed."""

    list_display = ("name", "user", "prefix", "may_write", "expires_at", "revoked_at", "last_used_at")
    list_select_related = ("user",)
    search_fields = ("name", "prefix", "user__email")
    exclude = ("digest",)
    actions = ("revoke",)

    def subject_of(self, row: ApiToken) -> str:
        return f"token:{row.prefix}"

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_administer_permission(request)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change, **(kwargs if obj else kwargs | {"form": NewToken}))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return super().get_fields(request, obj) if obj else ("user", "name", "days", "may_write")

    def save_model(self, request: HttpRequest, obj: ApiToken, form: Any, change: bool) -> None:
        asked = form.cleaned_data
        made, text = tokens.issue(asked["user"], name=asked["name"], days=asked["days"], may_write=asked["may_write"])
        obj.__dict__.update(made.__dict__)
        messages.warning(request, f"Copy the token now, it is not shown again: {text}")

    @admin.action(description="Revoke the chosen tokens", permissions=["administer"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        with unit_of_work():
            for token in queryset.filter(revoked_at=None).order_by("pk"):
                tokens.revoke(token)
        messages.success(request, "Revoked.")


@admin.register(AppliedMigration)
class AppliedMigrationPage(ReadOnly):
    list_display = ("app", "name", "kind", "applied_at")
    list_filter = ("app", "kind")
    ordering = ("-id",)


@admin.register(Rehearsal)
class RehearsalPage(ReadOnly):
    list_display = ("at", "result", "version", "commit", "engine", "tables", "rows", "seconds")
    list_filter = ("result",)
    ordering = ("-id",)


@admin.register(WebProcess)
class WebProcessPage(ReadOnly):
    list_display = ("name", "host", "pid", "version", "schema", "started_at", "seen_at")
    ordering = ("name",)
