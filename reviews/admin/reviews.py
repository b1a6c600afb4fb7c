"""Series and reviews: received, read, applied, taken back."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html

from portal.core.adminsite import Admin, ReadOnly, ReasonForm, Rows
from portal.core.deeds import Deed
from reviews import applying, documents
from reviews.admin.asking import Apply
from reviews.admin.council_asking import AskOfSeries, ask, of_series
from reviews.admin.reading import LINK, Said
from reviews.admin.upload import Upload
from reviews.models import ActionItem, Check, ImportRow, Review, ReviewState, Series
from reviews.queries.document import document
from reviews.transitions import REVIEW
from tickets.admin.asking import MaybeWhy, Nothing, Why


@admin.register(Series)
class SeriesPage(Admin):
    list_display = ("name", "project", "version")
    list_filter = ("project",)
    list_select_related = ("project",)
    search_fields = ("name",)
    deeds = (Deed("ask", "Ask for reviews", AskOfSeries, ask, fit=of_series),)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        own = super().get_readonly_fields(request, obj)
        return ("project", *own) if obj else own

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def with_review(rows: QuerySet[Any]) -> QuerySet[Any]:
    """Rows that name their review in a list: what is stored of the document is not read for that."""
    return rows.select_related("review__series").defer("review__content", "review__reading")


class PlanRows(Rows):
    model = ImportRow
    verbose_name_plural = "the plan"
    fields = ("n", "action", "severity", "title", "lines", "reason", "key", "becomes")
    readonly_fields = fields
    ordering = ("n",)
    per_page = 50
    # its title leads to the row: a line more for each would double the plan
    hide_title = True
    show_change_link = False

    def get_queryset(self, request: HttpRequest) -> Any:
        return with_review(super().get_queryset(request))

    @admin.display(description="Severity")
    def severity(self, row: ImportRow) -> str:
        return str(row.item.get("severity_as_written") or row.item.get("severity") or "")[:60]

    @admin.display(description="Title")
    def title(self, row: ImportRow) -> str:
        where = reverse("admin:reviews_importrow_change", args=[row.pk])
        return format_html('<a class="{}" href="{}"><bdi>{}</bdi></a>', LINK, where, title_of(row))

    @admin.display(description="Lines")
    def lines(self, row: ImportRow) -> str:
        first, last = row.item.get("line_start"), row.item.get("line_end")
        return str(first or "") if last in {None, first} else f"{first}–{last}"

    @admin.display(description="Ticket key")
    def key(self, row: ImportRow) -> str:
        return f"{row.get_keys_display()} {row.ticket_key}".strip()

    @admin.display(description="Outcome")
    def becomes(self, row: ImportRow) -> str:
        outcome = "Left out" if row.left_out else row.get_outcome_display()
        return f"{outcome}: {row.outcome_reason}" if row.outcome_reason else outcome


def title_of(row: ImportRow) -> str:
    return str(row.item.get("title") or row.identity)


class Checks(Rows):
    model = Check
    verbose_name_plural = "checks, by the document's word"
    fields = ("name", "outcome", "detail", "line")
    readonly_fields = fields
    ordering = ("n",)
    per_page = 50
    hide_title = True
    show_change_link = False


class ActionItems(Rows):
    model = ActionItem
    fields = ("text", "section", "done", "line")
    readonly_fields = fields
    ordering = ("n",)
    per_page = 50
    hide_title = True
    show_change_link = False


def apply(review: Review, asked: dict[str, Any], request: HttpRequest) -> str:
    done = applying.apply(review, by=request.user, **asked)  # type: ignore[arg-type]
    said = ((done.new, "new"), (done.seen, "seen again"), (done.closed, "closed"), (done.reopened, "open again"))
    return f"The plan is applied: {', '.join(f'{number} {what}' for number, what in said)}, {done.carried} carried."


def revert(review: Review, asked: dict[str, Any], request: HttpRequest) -> str:
    done = applying.revert(review, reason=asked["reason"], expected_version=asked["expected_version"])
    kept = f" {done.kept} kept: somebody has touched them since; each row says why." if done.kept else ""
    return f"Reverted: {done.taken_back} taken back.{kept}"


def discard(review: Review, asked: dict[str, Any], request: HttpRequest) -> str:
    applying.discard(review, reason=asked["reason"], expected_version=asked["expected_version"])
    return "The plan is discarded."


def read_again(review: Review, asked: dict[str, Any], request: HttpRequest) -> str:
    documents.read_again(review, expected_version=asked["expected_version"])
    return f"{review} is being read again."


def allows(verb: str) -> Any:
    """Whether a review's state knows the verb."""
    return lambda review: verb in {step.verb for step in REVIEW.allowed(review.state)}


@admin.register(Review)
class ReviewPage(Said, ReadOnly):
    list_display = ("title", "series", "number", "standing_state", "uploaded_at")
    list_filter = ("state", "series__project")
    list_select_related = ("series__project",)
    search_fields = ("title", "digest", "file_name", "series__name")
    ordering = ("-id",)
    inlines = (PlanRows, Checks, ActionItems)
    action_form = ReasonForm
    actions = ("apply", "revert", "discard", "read_again")
    change_form_outer_after_template = "admin/reviews/document.html"
    deeds = (
        Deed("apply", "Apply the plan", Apply, apply, allows("apply")),
        Deed("discard", "Discard the plan", MaybeWhy, discard, allows("discard")),
        Deed("revert", "Revert", Why, revert, allows("revert"), danger=True),
        Deed("read_again", "Read again", Nothing, read_again, allows("read_again")),
    )
    of_itself = ("title", "series", "number", "standing_state", "version", "about")
    of_document = ("file_name", "digest", "uploaded_at", "history")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("content", "read_text")

    # Receiving ----------------------------------------------------------------

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_administer_permission(request)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is not None:
            return super().get_form(request, obj, change, **kwargs)
        made = super().get_form(request, obj, change, **(kwargs | {"form": Upload}))
        made.user = request.user
        return made

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ((None, {"fields": ("of_project", "series_name", "document", "text")}),)
        # before a plan is applied nobody has said whether the document's keys are used
        keys = ("document_keys",) if obj.state in {ReviewState.APPLIED, ReviewState.REVERTED} else ()
        plan = ("whole_plan",) if obj.rows.exists() else ()
        read = (("What was read", {"fields": (*self.parts_of(obj), *plan)}),) if obj.reading else ()
        return (
            (None, {"fields": (*self.of_itself, *keys)}),
            *read,
            ("The document", {"fields": self.of_document}),
        )

    def get_inlines(self, request: HttpRequest, obj: Any) -> tuple[Any, ...]:
        """Those that have a row: empty tables say nothing."""
        return tuple(rows for rows in self.inlines if rows.model.objects.filter(review=obj).exists()) if obj else ()

    def save_model(self, request: HttpRequest, obj: Review, form: Any, change: bool) -> None:
        asked = form.cleaned_data
        review, made = documents.receive(
            asked["of_project"], series_name=asked["series"], content=asked["content"], file_name=asked["file_name"]
        )
        obj.__dict__.update(review.__dict__)
        if made:
            messages.success(request, f"Received as {review}. It is being read.")
        elif review.state == ReviewState.RECEIVED:
            messages.success(request, f"This document is {review} already, and is being read.")
        else:
            messages.warning(request, f"Nothing new: this document is {review} already.")

    def response_add(self, request: HttpRequest, obj: Review, post_url_continue: str | None = None) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:reviews_review_change", args=[obj.pk]))

    # One review ---------------------------------------------------------------

    def standing(self, row: Review) -> str:
        if row.state == ReviewState.RECEIVED:
            here = reverse("admin:reviews_review_change", args=[row.pk])
            return format_html('It is being read. <a class="{}" href="{}">Look again</a>', LINK, here)
        if row.state == ReviewState.FAILED:
            return f"It could not be read: {row.error}"
        if applying.plan_is_stale(row):
            return "Another plan of this series was applied or reverted since this one was made. Read it again."
        if row.state == ReviewState.PLANNED and not row.rows.exists():
            return "Nothing in the document was read as a finding: applying it changes nothing but its state."
        return ""

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("obj") is not None:
            context["document"] = document(kwargs["obj"])
        else:
            # What is received is looked at next, whichever button sent it.
            context |= {"show_save_and_add_another": False, "show_save_and_continue": False}
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description="Plan")
    def whole_plan(self, review: Review) -> str:
        where = f"{reverse('admin:reviews_importrow_changelist')}?review__id__exact={review.pk}"
        return format_html('<a class="{}" href="{}">All its rows, to leave some out or take them in</a>', LINK, where)

    # Several ------------------------------------------------------------------

    @admin.action(description="Apply the plan", permissions=["administer"])
    def apply(self, request: HttpRequest, queryset: QuerySet[Review]) -> None:
        self.each(request, queryset, applying.apply, "applied")

    @admin.action(description="Revert, with the reason", permissions=["administer"])
    def revert(self, request: HttpRequest, queryset: QuerySet[Review]) -> None:
        reason = self.reason(request)
        if not reason:
            messages.error(request, "Say why beside the action first: the reason is what the next reader has.")
            return
        self.each(request, queryset, lambda review: applying.revert(review, reason=reason), "reverted")

    @admin.action(description="Discard the plan", permissions=["administer"])
    def discard(self, request: HttpRequest, queryset: QuerySet[Review]) -> None:
        reason = self.reason(request)
        self.each(request, queryset, lambda review: applying.discard(review, reason=reason), "discarded")

    @admin.action(description="Read again", permissions=["administer"])
    def read_again(self, request: HttpRequest, queryset: QuerySet[Review]) -> None:
        self.each(request, queryset, documents.read_again, "to be read again")
