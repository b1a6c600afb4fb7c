"""What can be done to the row of a change page: each by a form of its own, above the row.

A deed has an address, so it is guarded, walked and bookmarked like any page.
What its form is sent is kept where it is refused: the reason stands where the
button was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from django import forms
from django.contrib import messages
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from unfold.admin import ModelAdmin

from portal.core.access import is_admin
from portal.core.lifecycle import Refused

# The row, what the form came to, and who asks; returns what to say of it.
Act = Callable[[Any, dict[str, Any], HttpRequest], str]


@dataclass(frozen=True, slots=True)
class Deed:
    """``verb`` is in its address, ``label`` on its button; it is shown where ``offered`` says yes."""

    verb: str
    label: str
    form: type[forms.Form]
    act: Act
    offered: Callable[[Any], bool] = lambda row: True
    danger: bool = False
    # makes the form that of the row: what can be chosen, what is asked
    fit: Callable[[Any, Any], None] = lambda form, row: None


class Offered(NamedTuple):
    """A deed on the page of a row."""

    deed: Deed
    form: forms.Form
    url: str


class Doing(ModelAdmin):  # type: ignore[misc]
    """An admin page whose rows can be acted upon."""

    deeds: ClassVar[tuple[Deed, ...]] = ()
    change_form_outer_before_template = "adminsite/deeds.html"

    def standing(self, row: Any) -> str:
        """One sentence above the row: what it waits for, or what went wrong."""
        return ""

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        row = kwargs.get("obj")
        if row is not None:
            offered = [deed for deed in self.deeds if deed.offered(row)] if is_admin(request.user) else []
            context["deeds"] = [self._offer(deed, row) for deed in offered]
            context["standing"] = self.standing(row)
        return super().render_change_form(request, context, *args, **kwargs)

    def get_urls(self) -> list[URLPattern]:
        own = [
            path(
                f"<path:object_id>/do/{deed.verb}/",
                self.admin_site.admin_view(self._view_of(deed)),
                name=_name(deed, self),
            )
            for deed in self.deeds
        ]
        return [*own, *super().get_urls()]

    def _view_of(self, deed: Deed) -> Callable[..., HttpResponse]:
        def view(request: HttpRequest, object_id: str) -> HttpResponse:
            return self._do(request, deed, object_id)

        return view

    def _do(self, request: HttpRequest, deed: Deed, object_id: str) -> HttpResponse:
        if not is_admin(request.user):
            raise PermissionDenied
        row = self.get_object(request, unquote(object_id))
        if row is None:
            answer: HttpResponse = self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
            return answer
        if request.method != "POST":
            return self._page(request, deed, row, self._offer(deed, row).form, 200)
        form = self._form(deed, row, request.POST, request.FILES)
        if not form.is_valid():
            return self._page(request, deed, row, form, 422)
        try:
            said = deed.act(row, form.cleaned_data, request)
        except Refused as refusal:
            form.add_error(None, str(refusal))
            self._look_again(request, row, form)
            return self._page(request, deed, row, form, refusal.status)
        messages.success(request, said)
        return HttpResponseRedirect(self._address(row))

    def _look_again(self, request: HttpRequest, row: Any, form: Any) -> None:
        """The form speaks of the row as it is now, so that what was typed can be sent again, as a decision."""
        now = self.get_object(request, str(row.pk))
        if "expected_version" in form.fields and now is not None:
            form.data = form.data.copy()
            form.data[form.add_prefix("expected_version")] = str(now.version)

    def _page(self, request: HttpRequest, deed: Deed, row: Any, form: forms.Form, status: int) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"{deed.label}: {row}",
            "original": row,
            "offered": self._offer(deed, row)._replace(form=form),
            "back": self._address(row),
        }
        return TemplateResponse(request, "adminsite/deed.html", context, status=status)

    def _form(self, deed: Deed, row: Any, data: Any = None, files: Any = None) -> forms.Form:
        initial = {"expected_version": getattr(row, "version", None)}
        form = deed.form(data, files, initial=initial, auto_id=f"{deed.verb}-%s", label_suffix="")
        deed.fit(form, row)
        return form

    def _offer(self, deed: Deed, row: Any) -> Offered:
        url = reverse(f"{self.admin_site.name}:{_name(deed, self)}", args=[quote(row.pk)])
        return Offered(deed, self._form(deed, row), url)

    def _address(self, row: Any) -> str:
        name = f"{self.admin_site.name}:{self.opts.app_label}_{self.opts.model_name}_change"
        return reverse(name, args=[quote(row.pk)])


def _name(deed: Deed, page: Doing) -> str:
    return f"{page.opts.app_label}_{page.opts.model_name}_do_{deed.verb}"
