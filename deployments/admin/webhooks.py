"""Addresses that are told of verdicts: made here, where secrets are named; and what each was told."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget, UnfoldBooleanSwitchWidget

from deployments import webhooks
from deployments.admin.asking import Button
from deployments.models import Telling, TellingState, Webhook, WebhookState
from portal.core.adminsite import Record
from portal.core.deeds import Deed
from portal.core.lifecycle import Refused
from tickets.fields import Words, secret_name
from tickets.models import Project


class NewWebhook(forms.ModelForm):  # type: ignore[type-arg]
    """Where it leads, and by what it is known."""

    of_project = forms.ModelChoiceField(
        Project.objects.order_by("key"), label="Project", widget=UnfoldAdminSelectWidget, empty_label="Choose a project"
    )
    kind = forms.ChoiceField(choices=Webhook.Form.choices, label="Form", widget=UnfoldAdminSelectWidget)
    address = Words(
        limit=500,
        label="Address",
        widget=UnfoldAdminTextInputWidget,
        help_text="It begins with https://. Of a status it has {commit} where the commit’s name stands, such as"
        " https://api.github.com/repos/OWNER/NAME/statuses/{commit} or"
        " https://gitlab.example/api/v4/projects/NUMBER/statuses/{commit}.",
    )
    signed_with = secret_name(
        "Secret",
        "The name of the secret that signs each body. Needed where no forge is told.",
        widget=UnfoldAdminTextInputWidget,
    )
    let_in_by = secret_name(
        "Token",
        "The name of the secret that is sent as the token. Whoever runs the address gets its value.",
        widget=UnfoldAdminTextInputWidget,
    )
    of_private_network = forms.BooleanField(
        label="May be of a private network",
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text="Otherwise nothing is sent to addresses that only this network reaches.",
    )

    class Meta:
        model = Webhook
        fields = ()

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or self.cleaned_data
        if not self.errors:
            try:
                webhooks.check(cleaned["kind"], cleaned["address"], cleaned["signed_with"], cleaned["let_in_by"])
            except webhooks.BadWebhook as problem:
                where = {"url": "address", "secret": "signed_with", "token": "let_in_by"}
                self.add_error(where[problem.field], str(problem))
            except Refused as refusal:
                self.add_error("of_project", str(refusal))
        return cleaned


def ping(webhook: Webhook, asked: dict[str, Any], request: HttpRequest) -> str:
    webhooks.ping(webhook)
    return "It is being tried."


def switch_off(webhook: Webhook, asked: dict[str, Any], request: HttpRequest) -> str:
    webhooks.switch(webhook, on=False)
    return "Nothing is told it any more."


def switch_on(webhook: Webhook, asked: dict[str, Any], request: HttpRequest) -> str:
    webhooks.switch(webhook, on=True)
    return "It is told of verdicts from now on."


def again(telling: Telling, asked: dict[str, Any], request: HttpRequest) -> str:
    webhooks.again(telling)
    return "It is sent again, under the same number."


@admin.register(Webhook)
class WebhookPage(Record):
    list_display = ("url", "project", "form", "state", "secret", "token", "private", "by", "at")
    list_filter = ("state", "form", "project")
    list_select_related = ("project",)
    search_fields = ("url", "project__key")
    ordering = ("-id",)
    deeds = (
        Deed("ping", "Try it", Button, ping, lambda hook: hook.state == WebhookState.ON and hook.form == "generic"),
        Deed("switch_off", "Switch off", Button, switch_off, lambda hook: hook.state == WebhookState.ON),
        Deed("switch_on", "Switch on", Button, switch_on, lambda hook: hook.state == WebhookState.OFF),
    )

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_administer_permission(request)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change, **(kwargs if obj else kwargs | {"form": NewWebhook}))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        if obj is None:
            return ("of_project", "kind", "address", "signed_with", "let_in_by", "of_private_network")
        return tuple(super().get_fields(request, obj))

    def save_model(self, request: HttpRequest, obj: Webhook, form: Any, change: bool) -> None:
        typed = form.cleaned_data
        made = webhooks.add(
            typed["of_project"],
            form=typed["kind"],
            url=typed["address"],
            secret=typed["signed_with"],
            token=typed["let_in_by"],
            private=typed["of_private_network"],
        )
        obj.__dict__.update(made.__dict__)


@admin.register(Telling)
class TellingPage(Record):
    list_display = ("event", "commit", "webhook", "state", "status", "tries", "at")
    list_filter = ("state", "event")
    list_select_related = ("webhook",)
    search_fields = ("delivery", "commit", "webhook__url")
    ordering = ("-id",)
    deeds = (
        Deed(
            "again",
            "Send again",
            Button,
            again,
            lambda told: told.state != TellingState.WAITING and told.webhook.state == WebhookState.ON,
        ),
    )
