"""Deployments: asked for, approved, stopped, answered, taken back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from deployments import approvals, gates, interruptions, overriding, requesting, steering, waiving
from deployments.admin import asking
from deployments.admin.steps import StepRows
from deployments.forms import Placed
from deployments.models import (
    ACTIVE_STATES,
    Approval,
    Deployment,
    DeploymentState,
    Environment,
    Interruption,
    Phase,
    Placement,
    Service,
    StepState,
)
from portal.core.adminsite import ReadOnly, Rows
from portal.core.deeds import Deed
from portal.core.lifecycle import Refused
from portal.core.models import User
from tickets import policy
from tickets.fields import Checked

REASONS_SHOWN: Final = 10
COMMITS_SHOWN: Final = 20


class Approvals(Rows):
    model = Approval
    fields = ("approver_label", "standing_state", "reason", "at")
    readonly_fields = fields
    ordering = ("-id",)
    per_page = 20

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("deployment__service", "deployment__environment")


class Interruptions(Rows):
    model = Interruption
    fields = ("step", "detail", "standing_state", "choice", "note", "answered_label", "opened_at", "answered_at")
    readonly_fields = fields
    ordering = ("-id",)
    per_page = 20

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = super().get_queryset(request)
        return rows.select_related("step__deployment__service", "step__deployment__environment", "deployment")


class Request(forms.ModelForm):  # type: ignore[type-arg]
    """What to deploy where; a worker looks it up, then its gate is asked."""

    of_service = Placed(
        Service.objects.select_related("project").order_by("project__key", "name"),
        label="Service",
        widget=UnfoldAdminSelectWidget,
    )
    into = Placed(
        Environment.objects.select_related("project").order_by("project__key", "place", "name"),
        label="Environment",
        widget=UnfoldAdminSelectWidget,
    )
    what = Checked(
        policy.branch_problem,
        limit=200,
        label="Commit, branch or tag",
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="Empty: the project’s target branch, as it is when a worker looks.",
    )

    class Meta:
        model = Deployment
        fields = ()

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or self.cleaned_data
        service, into = cleaned.get("of_service"), cleaned.get("into")
        if service and into and service.project_id != into.project_id:
            whose = f"{into} is of {into.project.key}, {service} of {service.project.key}."
            self.add_error("into", f"{whose} Choose two of one project.")
        return cleaned


# What is done -------------------------------------------------------------------


def approve(row: Deployment, asked: dict[str, Any], request: HttpRequest) -> str:
    by = cast(User, request.user)
    approvals.approve(row, by=by, plan_digest=asked["plan_digest"], reason=asked["reason"])
    return f"Approved. {row} is {row.get_state_display().lower()}."


def override(row: Deployment, asked: dict[str, Any], request: HttpRequest) -> str:
    by = cast(User, request.user)
    overriding.override(row, asked["freeze"], by=by, plan_digest=asked["plan_digest"], reason=asked["reason"])
    return f"The freeze is overridden for this plan. {row} is {row.get_state_display().lower()}."


def withdraw(row: Deployment, asked: dict[str, Any], request: HttpRequest) -> str:
    steering.withdraw(row, by=cast(User, request.user), reason=asked["reason"])
    return "Your approval is withdrawn."


def look_again(row: Deployment, asked: dict[str, Any], request: HttpRequest) -> str:
    if row.state != DeploymentState.WAITING:
        raise Refused(f"It is {row.get_state_display().lower()}: its gate is not asked any more.")
    gate = requesting.look_again(row)
    return "The gate is open: it is queued." if gate.is_open else f"The gate is closed: {_reasons(gate)[0]}."


def cancel(row: Deployment, asked: dict[str, Any], request: HttpRequest) -> str:
    requesting.cancel(row, expected_version=asked["expected_version"], reason=asked["reason"])
    return f"{row} is cancelled."


def stop(row: Deployment, asked: dict[str, Any], request: HttpRequest) -> str:
    steering.stop(row, step=asked["step"], reason=asked["reason"])
    return f"Step {asked['step']} is told to stop. Then the deployment asks how it goes on."


def end_wait(row: Deployment, asked: dict[str, Any], request: HttpRequest) -> str:
    steering.end_wait(row, step=asked["step"], reason=asked["reason"])
    return f"The pause of step {asked['step']} is over: it goes on."


def waive(row: Deployment, asked: dict[str, Any], request: HttpRequest) -> str:
    by = cast(User, request.user)
    waiving.waive(row, asked["kind"], by=by, plan_digest=asked["plan_digest"], reason=asked["reason"])
    return f"Waived. {row} is {row.get_state_display().lower()}."


def answer(row: Deployment | Interruption, asked: dict[str, Any], request: HttpRequest) -> str:
    found = Interruption.objects.select_related(
        "step", "deployment__service__project", "deployment__environment", "deployment__release__service"
    ).filter(pk=asked["interruption"])
    of_row = found.filter(pk=row.pk) if isinstance(row, Interruption) else found.filter(deployment=row)
    interruption = of_row.first()
    if interruption is None:
        raise Refused("There is no such interruption here. Open the page again.")
    by = cast(User, request.user)
    interruptions.answer(interruption, asked["choice"], by=by, reason=asked["reason"])
    return f"Answered: {interruption.get_choice_display().lower()}."


def roll_back(row: Deployment, asked: dict[str, Any], request: HttpRequest) -> str:
    steering.roll_back(row, expected_version=asked["expected_version"], reason=asked["reason"])
    return f"{row} goes back, as it was planned. Its release is held."


def allows(verb: str) -> Callable[[Deployment], bool]:
    return lambda row: verb in steering.verbs(row)


# What it waits for --------------------------------------------------------------


def _reasons(gate: gates.Gate) -> list[str]:
    """What keeps the gate closed, each with what lifts it."""
    found = [f"{reason['text']} ({reason['lift']})" for reason in gate.verdict.reasons]
    unmet = [condition for condition in gate.conditions if not condition.met]
    return found + [f"{condition.text} ({condition.detail or condition.lift})" for condition in unmet]


def standing_of(row: Deployment) -> str:
    """What it waits for, or how it ended."""
    state = row.state
    if state == DeploymentState.PREPARING:
        return "A worker looks up what was asked for, and plans its steps."
    if state == DeploymentState.WAITING:
        found = _reasons(gates.look(row))
        more = f"; and {len(found) - REASONS_SHOWN} more" if len(found) > REASONS_SHOWN else ""
        return f"It waits at the gate: {'; '.join(found[:REASONS_SHOWN]) or 'nothing holds it any more'}{more}."
    if state == DeploymentState.QUEUED:
        return "The gate is open: its first step waits for a worker."
    if state == DeploymentState.INTERRUPTED:
        found_one = interruptions.open_of(row)
        said = f"{found_one.step.name}: {found_one.detail or found_one.step.instructions}" if found_one else ""
        return f"It needs a person. {said}"
    if state in ACTIVE_STATES:
        phase = Phase.BACK if state == DeploymentState.ROLLING_BACK else Phase.FORWARD
        step = row.steps.filter(phase=phase, state__in=[StepState.RUNNING, StepState.WAITING]).order_by("n").first()
        way = f"It goes back: {row.why}. " if phase == Phase.BACK else ""
        return f"{way}Step {step.n}, {step.name}, is {step.get_state_display().lower()}." if step else way
    if state == DeploymentState.SUCCEEDED:
        return _stands(row)
    return row.why


def _stands(row: Deployment) -> str:
    placed = Placement.objects.filter(deployment=row).first()
    if placed is None:
        return "Another has followed it there."
    seen = ", and the service reports its commit" if placed.verified_at else ""
    return f"It stands in {row.environment}{seen}."


@admin.register(Deployment)
class DeploymentPage(ReadOnly):
    list_display = ("id", "service", "environment", "short", "standing_state", "requester", "requested_at", "ended_at")
    list_filter = ("state", "service__project", "environment")
    list_select_related = ("service__project", "environment", "release")
    search_fields = ("=id", "commit", "asked", "service__name", "requester")
    ordering = ("-id",)
    inlines = (StepRows, Approvals, Interruptions)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "service",
                    "environment",
                    "asked",
                    "release",
                    "commit",
                    "previous",
                    "standing_state",
                    "version",
                    "why",
                )
            },
        ),
        ("Gate", {"fields": ("verdict", "reasons", "plan_digest", "expires_at")}),
        ("What it brings", {"fields": ("brings",)}),
        ("When", {"fields": ("requester", "requested_at", "started_at", "ended_at", "history")}),
    )
    deeds = (
        Deed("approve", "Approve", asking.Approve, approve, allows("approve"), fit=asking.fit_approval),
        Deed(
            "override", "Override", asking.Override, override, allows("override"), fit=asking.fit_override, danger=True
        ),
        Deed("withdraw", "Withdraw my approval", asking.MaybeExplained, withdraw, allows("withdraw")),
        Deed("look_again", "Look again", asking.Button, look_again, allows("look_again")),
        Deed("answer", "Answer", asking.Answer, answer, allows("answer"), fit=asking.fit_answer),
        Deed("waive", "Waive", asking.Waive, waive, allows("waive"), fit=asking.fit_waiver),
        Deed("end_wait", "End the pause", asking.Stop, end_wait, allows("end_wait"), fit=asking.fit_end_wait),
        Deed("stop", "Stop the step", asking.Stop, stop, allows("stop"), danger=True, fit=asking.fit_stop),
        Deed("roll_back", "Roll back", asking.Why, roll_back, allows("roll_back"), danger=True),
        Deed("cancel", "Cancel", asking.Why, cancel, allows("cancel"), danger=True),
    )

    def standing(self, row: Deployment) -> str:
        return standing_of(row)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Deployment]:
        rows: QuerySet[Deployment] = super().get_queryset(request)
        return rows.select_related(
            "service__project", "environment", "release__service", "previous__service", "verdict", "requested_by"
        )

    def _look_again(self, request: HttpRequest, row: Any, form: Any) -> None:
        """What is approved is the plan of now, which the form shows now."""
        super()._look_again(request, row, form)
        now = self.get_object(request, str(row.pk))
        if "plan_digest" in form.fields and now is not None:
            form.data = form.data.copy()
            form.data[form.add_prefix("plan_digest")] = now.plan_digest
            (asking.fit_waiver if "kind" in form.fields else asking.fit_approval)(form, now)

    @admin.display(description="Commit", ordering="commit")
    def short(self, row: Deployment) -> str:
        return row.commit[:9]

    @admin.display(description="What holds it, and what lifts that")
    def reasons(self, row: Deployment) -> str:
        """As the verdict said it then; the conditions beside it are as they are now."""
        said = [f"{reason['text']} ({reason['lift']})" for reason in (row.verdict.reasons if row.verdict else [])]
        if row.state == DeploymentState.WAITING:
            said = _reasons(gates.look(row))
        shown = format_html_join("", "<li>{}</li>", ((one,) for one in said))
        return format_html("<ul>{}</ul>", shown) if said else "Nothing."

    @admin.display(description="Since what stood there")
    def brings(self, row: Deployment) -> str:
        changes = row.changes
        tickets = ", ".join(changes.get("tickets", [])) or "no ticket"
        newest = changes.get("newest", [])[:COMMITS_SHOWN]
        lines = "".join(f"\n{one['commit'][:9]} {one['title']} ({one['author']})" for one in newest)
        said = f"{changes.get('commits', 0)} commits; {tickets}{lines}"
        return format_html('<div class="as-written"><bdi>{}</bdi></div>', said)

    # Asking ---------------------------------------------------------------------

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_administer_permission(request)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change, **(kwargs if obj else kwargs | {"form": Request}))

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fieldsets if obj else ((None, {"fields": ("of_service", "into", "what")}),)

    def get_inlines(self, request: HttpRequest, obj: Any) -> tuple[Any, ...]:
        """Those that have a row: empty tables say nothing."""
        return tuple(rows for rows in self.inlines if rows.model.objects.filter(deployment=obj).exists()) if obj else ()

    def save_model(self, request: HttpRequest, obj: Deployment, form: Any, change: bool) -> None:
        typed = form.cleaned_data
        by = cast(User, request.user)
        made = requesting.request(typed["of_service"], typed["into"], asked=typed["what"], by=by)
        obj.__dict__.update(made.__dict__)

    def response_add(self, request: HttpRequest, obj: Deployment, post_url_continue: str | None = None) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:deployments_deployment_change", args=[obj.pk]))

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("obj") is None:
            # What was asked for is looked at next, whichever button sent it.
            context |= {"show_save_and_add_another": False, "show_save_and_continue": False}
        return super().render_change_form(request, context, *args, **kwargs)
