"""What turns and conversations leave behind, to be looked at."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from portal.core.adminsite import Record
from portal.core.deeds import Deed
from tickets import attachments, conversation
from tickets.admin.asking import Button, Explained
from tickets.models import (
    Attachment,
    Author,
    CheckRun,
    Delivery,
    KeyAlias,
    Measurement,
    Merge,
    Message,
    Turn,
    Workspace,
)


@admin.register(Turn)
class TurnPage(Record):
    list_display = (
        "ticket",
        "seq",
        "purpose",
        "state",
        "agent_version",
        "exit_code",
        "cost_usd",
        "started_at",
        "ended_at",
    )
    list_filter = ("state", "purpose")
    list_select_related = ("ticket", "agent_version__agent")
    search_fields = ("ticket__key",)
    # what makes a turn's signal valid is nobody's to read
    exclude = ("nonce", "credential")
    ordering = ("-id",)


def as_printed(text: str) -> str:
    """Output and diffs, with their line ends."""
    return format_html('<div class="as-written"><code>{}</code></div>', text)


@admin.register(Measurement)
class MeasurementPage(Record):
    list_display = ("turn", "proven", "commit_count", "files_changed", "insertions", "deletions", "at")
    list_filter = ("proven",)
    list_select_related = ("turn__ticket",)
    search_fields = ("turn__ticket__key",)
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Measurement]:
        # A list shows no diff, so it reads none.
        rows: QuerySet[Measurement] = super().get_queryset(request)
        return rows.defer("diff")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return tuple("changes" if name == "diff" else name for name in super().get_fields(request, obj))

    @admin.display(description="Diff")
    def changes(self, measurement: Measurement) -> str:
        return as_printed(measurement.diff)


@admin.register(CheckRun)
class CheckRunPage(Record):
    list_display = ("attempt", "n", "words", "outcome", "exit_code", "summary", "seconds")
    list_filter = ("outcome",)
    list_select_related = ("attempt__job",)
    search_fields = ("attempt__job__subject", "summary")
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[CheckRun]:
        rows: QuerySet[CheckRun] = super().get_queryset(request)
        return rows.defer("output")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return tuple("written" if name == "output" else name for name in super().get_fields(request, obj))

    @admin.display(description="Command")
    def words(self, check: CheckRun) -> str:
        return str(check)

    @admin.display(description="End of its output")
    def written(self, check: CheckRun) -> str:
        return as_printed(check.output)


@admin.register(Merge)
class MergePage(Record):
    list_display = (
        "ticket",
        "state",
        "strategy",
        "target_branch",
        "merged_commit",
        "accepted_by",
        "asked_at",
        "ended_at",
    )
    list_filter = ("state", "strategy")
    list_select_related = ("ticket", "accepted_by")
    search_fields = ("ticket__key", "commit", "merged_commit")
    ordering = ("-id",)


@admin.register(Workspace)
class WorkspacePage(Record):
    list_display = ("ticket", "host", "branch", "base_commit")
    list_select_related = ("ticket",)
    search_fields = ("ticket__key", "host", "branch")
    ordering = ("-id",)


@admin.register(KeyAlias)
class KeyAliasPage(Record):
    list_display = ("key", "ticket", "project")
    list_filter = ("project",)
    list_select_related = ("ticket", "project")
    search_fields = ("key", "ticket__key")
    ordering = ("-id",)


def withdraw(message: Message, asked: dict[str, Any], request: HttpRequest) -> str:
    conversation.withdraw(message, by=request.user)  # type: ignore[arg-type]
    return f"#{message.number} is withdrawn."


def may_be_withdrawn(message: Message) -> bool:
    return message.author_kind == Author.PERSON and message.withdrawn_at is None


def words(message: Message) -> str:
    """The text as it was typed, with its line ends."""
    return format_html('<div class="as-written"><bdi>{}</bdi></div>', message.body)


@admin.register(Message)
class MessagePage(Record):
    deeds = (Deed("withdraw", "Withdraw", Button, withdraw, may_be_withdrawn, danger=True),)
    list_display = ("ticket", "number", "author_kind", "author_label", "internal", "created_at", "withdrawn_at")
    list_filter = ("author_kind", "internal")
    list_select_related = ("ticket",)
    search_fields = ("ticket__key", "author_label")
    ordering = ("-id",)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return tuple("words" if name == "body" else name for name in super().get_fields(request, obj))

    @admin.display(description="Body")
    def words(self, message: Message) -> str:
        return words(message)


@admin.register(Delivery)
class DeliveryPage(Record):
    list_display = ("message", "turn", "state", "taken_at", "ended_at")
    list_filter = ("state",)
    list_select_related = ("message__ticket", "turn__ticket")
    search_fields = ("message__ticket__key",)
    ordering = ("-id",)


def download(attachment: Attachment) -> str:
    """A link to the bytes, by the door of the ticket's page; the name alone once they were removed."""
    if attachment.removed_at is not None:
        return attachment.name
    url = reverse("attachment", args=[attachment.ticket.key, attachment.pk])
    style = "text-primary-600 dark:text-primary-500"
    return format_html('<a class="{}" href="{}" download><bdi>{}</bdi></a>', style, url, attachment.name)


def remove(attachment: Attachment, asked: dict[str, Any], request: HttpRequest) -> str:
    attachments.remove(attachment, reason=asked["reason"])
    return f"{attachment.name} is removed."


@admin.register(Attachment)
class AttachmentPage(Record):
    list_display = ("name", "ticket", "media_type", "size_bytes", "uploader_label", "created_at", "removed_at")
    list_filter = ("media_type",)
    list_select_related = ("ticket",)
    search_fields = ("ticket__key", "name", "digest")
    exclude = ("stored_as",)
    ordering = ("-id",)
    deeds = (Deed("remove", "Remove", Explained, remove, lambda row: row.removed_at is None, danger=True),)

    def standing(self, row: Attachment) -> str:
        return format_html("The file: {}", download(row)) if row.removed_at is None else "Its bytes were removed."
