"""What every admin page has in common: the theme, and how changes are written.

The theme enters here alone. No form saves a whole row: a form writes the
fields that its sender changed, compared with what the page showed them, in a
unit of work with its Activity; the admin's own log stays empty.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Final
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import AutoField, Field, ForeignKey, Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from unfold.admin import StackedInline, TabularInline
from unfold.forms import ActionForm, PaginationInlineFormSet

from portal.core.access import is_admin
from portal.core.deeds import Doing
from portal.core.lifecycle import Gone, Refused, plain
from portal.core.unit import unit_of_work
from portal.core.unseen import is_unseen

# a control beside the action, in the coloured bar
ACTION_CLASSES: Final = "bg-white text-base-900 rounded-default px-2 py-1"
# of a stored text, beside the one that was typed over an older one
SHOWN_CHARS: Final = 2000


def write_changed(row: Model, values: dict[str, Any], kind: str, subject: str) -> None:
    """Write ``values`` of ``row``, and nothing else of it. Raises ``Gone``."""
    if not values:
        return
    with unit_of_work() as work:
        rows = type(row)._default_manager.filter(pk=row.pk)
        before = rows.values(*values).first()
        if before is None or rows.update(**values) != 1:
            raise Gone(f"{subject} is not there any more.")
        after = {name: plain(value) for name, value in values.items()}
        work.record(
            f"{kind}.changed", subject, before={name: plain(value) for name, value in before.items()}, after=after
        )


class Admin(Doing):
    """An admin page of ours."""

    show_full_result_count = False
    list_per_page = 50
    # how history names a row: "<kind>:<pk>", where the row does not say so itself
    kind: ClassVar[str] = ""

    def subject_of(self, row: Any) -> str:
        own = getattr(row, "subject", None)
        return own if isinstance(own, str) and ":" in own else f"{self.kind_of()}:{row.pk}"

    def kind_of(self) -> str:
        return self.kind or str(self.opts.model_name)

    @admin.display(description="State", ordering="state")
    def standing_state(self, row: Any) -> str:
        """The state in the words of the pages."""
        return str(row.get_state_display())

    # Forms ----------------------------------------------------------------

    def formfield_for_dbfield(
        self, db_field: Field[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> forms.Field | None:
        """Each field carries what the page showed, so that only what its reader changed is written."""
        found: forms.Field | None = super().formfield_for_dbfield(db_field, request, **kwargs)
        if isinstance(found, forms.CharField):
            found.validators = [*found.validators, _refuse_unseen]
        if found is not None and not isinstance(db_field, ForeignKey):
            found.show_hidden_initial = True
        return found

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Digits of other scripts are no number of a row, though Python reads them as one."""
        if isinstance(self.opts.pk, AutoField) and not (object_id.isascii() and object_id.isdecimal()):
            return None
        return super().get_object(request, object_id, from_field)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """A rule that says no is an error of the same form: nothing was written, nothing typed is lost."""
        try:
            answer: HttpResponse = super().changeform_view(request, *args, **kwargs)
        except Refused as refusal:
            request.refusal = str(refusal)  # type: ignore[attr-defined]
            answer = super().changeform_view(request, *args, **kwargs)
        return answer

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        made = super().get_form(request, obj, change=change, **kwargs)
        refusal = getattr(request, "refusal", "") or _given_twice(request, made.base_fields)
        if refusal:
            # The class was made for this request alone.
            made.clean = _refusing(made.clean, refusal)
        return made

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            own = {field.name for field in self.opts.concrete_fields}
            changed = {name: form.cleaned_data[name] for name in form.changed_data if name in own}
            write_changed(obj, changed, self.kind_of(), self.subject_of(obj))
            return
        with unit_of_work() as work:
            obj.save(force_insert=True)
            work.record(f"{self.kind_of()}.created", self.subject_of(obj), after={"name": str(obj)})

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        formset.save(commit=False)
        kind = formset.model._meta.model_name
        with unit_of_work() as work:
            for row in formset.deleted_objects:
                work.record(f"{kind}.deleted", f"{kind}:{row.pk}", before={"name": str(row)})
                row.delete()
            for row in formset.new_objects:
                row.save(force_insert=True)
                work.record(f"{kind}.created", f"{kind}:{row.pk}", after={"name": str(row)})
            for row, names in formset.changed_objects:
                write_changed(row, {name: getattr(row, name) for name in names}, kind, f"{kind}:{row.pk}")

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        with unit_of_work() as work:
            work.record(f"{self.kind_of()}.deleted", self.subject_of(obj), before={"name": str(obj)})
            obj.delete()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        with unit_of_work():
            for row in queryset.order_by("pk"):
                self.delete_model(request, row)

    def reason(self, request: HttpRequest) -> str:
        """What was typed beside the action."""
        return request.POST.get("reason", "").strip()

    def has_administer_permission(self, request: HttpRequest) -> bool:
        """Who may take the actions that a page offers."""
        return is_admin(request.user)

    def each(self, request: HttpRequest, rows: QuerySet[Any], act: Callable[[Any], object], said: str) -> None:
        """Do ``act`` to each row by itself: one that refuses is named and stops no other."""
        done = 0
        for row in rows.order_by("pk"):
            try:
                act(row)
            except Refused as refusal:
                messages.warning(request, str(refusal))
            else:
                done += 1
        if done:
            messages.success(request, f"{done} {said}.")

    # History: Activity is the one, so the admin's own log stays empty ---------

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> None: ...

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> None: ...

    def log_deletions(self, request: HttpRequest, queryset: Any) -> None: ...

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        row = self.get_object(request, object_id)
        subject = self.subject_of(row) if row is not None else f"{self.kind_of()}:{object_id}"
        return HttpResponseRedirect(history_url(subject))

    def history(self, row: Any) -> str:
        return format_html(
            '<a class="text-primary-600 dark:text-primary-500" href="{}">Who changed what</a>',
            history_url(self.subject_of(row)),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        own = tuple(super().get_readonly_fields(request, obj))
        return (*own, "history") if obj is not None and "history" not in own else own


def _refusing(clean: Callable[[Any], Any], refusal: str) -> Callable[[Any], Any]:
    def refuse(form: Any) -> Any:
        cleaned = clean(form)
        if not form.errors:
            form.add_error(None, refusal)
        return cleaned

    return refuse


def _refuse_unseen(value: object) -> None:
    if isinstance(value, str) and value and is_unseen(value):
        raise ValidationError("Nothing of this can be seen.")


def _given_twice(request: HttpRequest, fields: dict[str, forms.Field]) -> str:
    """What is to say to a form that gives a field twice."""
    several = (forms.MultipleChoiceField, forms.ModelMultipleChoiceField)
    single = (name for name, field in fields.items() if not isinstance(field, several))
    twice = next((name for name in single if len(request.POST.getlist(name)) > 1), None)
    return f"{fields[twice].label or twice} is given twice." if twice else ""


def history_url(subject: str) -> str:
    return f"{reverse('admin:core_activity_changelist')}?{urlencode({'subject': subject})}"


class ReasonForm(ActionForm):  # type: ignore[misc]
    """Beside the action: why."""

    reason = forms.CharField(
        label="",
        required=False,
        max_length=300,
        widget=forms.TextInput({"placeholder": "Reason", "aria-label": "Reason", "class": ACTION_CLASSES}),
    )


class ReadOnly(Admin):
    """Rows that the engine alone writes: to be looked at."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class Record(ReadOnly):
    """Such rows with all their columns, but for those that are excluded."""

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        hidden = {"id", *(self.exclude or ())}
        own = tuple(field.name for field in self.opts.concrete_fields if field.name not in hidden)
        return (*own, "history") if hasattr(self.model, "subject") else own


class Rows(TabularInline):  # type: ignore[misc]
    """Rows that belong to the one on the page, to be looked at."""

    extra = 0
    max_num = 0
    can_delete = False
    show_change_link = True

    @admin.display(description="State")
    def standing_state(self, row: Any) -> str:
        """The state in the words of the pages."""
        return str(row.get_state_display())

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class EditableRows(TabularInline):  # type: ignore[misc]
    """Rows that belong to the one on the page, edited with it."""

    extra = 0

    def formfield_for_dbfield(
        self, db_field: Field[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> forms.Field | None:
        """A control in a cell has no label of its own: it says the column's name."""
        found: forms.Field | None = super().formfield_for_dbfield(db_field, request, **kwargs)
        if found is not None:
            control: Any = getattr(found.widget, "widget", found.widget)
            control.attrs.setdefault("aria-label", str(db_field.verbose_name).capitalize())
        return found


class WholeRows(PaginationInlineFormSet):  # type: ignore[misc]
    """Rows that are sent all together and take the place of those that are stored, whichever those are by then.

    What is sent is no change of stored rows one by one, so it names none of them.
    """

    # what the admin tells its log of a formset that saves row by row
    new_objects = changed_objects = deleted_objects = ()

    def initial_form_count(self) -> int:
        return 0 if self.is_bound else int(super().initial_form_count())

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        name = self.model._meta.pk.name
        form.fields[name] = forms.CharField(required=False, widget=forms.HiddenInput)

    def clean(self) -> None:
        """Nothing is compared with what is stored, which goes; what is given twice is refused."""
        for form in self.forms:
            for name, field in form.fields.items():
                if len(self.data.getlist(form.add_prefix(name))) > 1:
                    form.add_error(name, f"{field.label or name} is given twice.")


class EditableBlocks(StackedInline):  # type: ignore[misc]
    """Rows with too many columns for a table, each as a block, edited and written together."""

    formset = WholeRows
    extra = 1
    can_delete = False


class SeenVersion(forms.ModelForm):  # type: ignore[type-arg]
    """A form of a row with a version: it says which version its sender saw.

    Where that is an old one, what was typed stays and what is stored stands
    beside it; the form now speaks of the version that it shows, so that
    sending it again is a decision.
    """

    seen = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["seen"].initial = self.instance.version if self.instance.pk else None

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if self.instance.pk and self.cleaned_data.get("seen") != self.instance.version:
            self._show_both()
            raise forms.ValidationError(
                "It has changed since you opened it. What you typed is below, with what is there now beside it where"
                " they differ. Save again to put yours in its place."
            )
        return cleaned

    def _show_both(self) -> None:
        data: Any = self.data.copy()  # type: ignore[attr-defined]
        typed = set(self.changed_data)
        for name in [name for name in self.fields if name != "seen"]:
            stored = self._written(name, getattr(self.instance, name))
            if name not in typed:
                data[self.add_prefix(name)] = stored
            elif self._written(name, self.cleaned_data.get(name)) != stored:
                more = f" … ({len(stored):,} characters)" if len(stored) > SHOWN_CHARS else ""
                self.add_error(name, f"Now it is: {stored[:SHOWN_CHARS] or 'empty'}{more}")
            data[self.add_initial_prefix(name)] = stored
        data[self.add_prefix("seen")] = str(self.instance.version)
        self.data = data

    def _written(self, name: str, value: Any) -> str:
        """A value as its control has it."""
        return str(self.fields[name].prepare_value(value))
