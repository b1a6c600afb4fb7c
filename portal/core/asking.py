"""Asking why in the admin: the form of a deed, and a page between a list and what is done to its rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from django import forms
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from unfold.widgets import UnfoldAdminTextareaWidget

REASON_CHARS: Final = 300
HIGHEST_ID: Final = 2**63 - 1


class Reasoned(forms.Form):
    """Why, and nothing else: for a deed, and for an action of a list."""

    reason = forms.CharField(
        label="Reason",
        max_length=REASON_CHARS,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        error_messages={"required": "Say why: the reason is what the next reader has."},
    )

    def clean(self) -> dict[str, Any] | None:
        several = getattr(self.data, "getlist", None)
        if several and len(several(self.add_prefix("reason"))) > 1:
            self.add_error("reason", "The reason is given twice.")
        return super().clean()


class Why(Reasoned):
    """``after``: the row that an earlier press ended with."""

    after = forms.IntegerField(min_value=0, max_value=HIGHEST_ID, required=False, widget=forms.HiddenInput)


def why(
    page: Any, request: HttpRequest, rows: QuerySet[Any], label: str, act: Callable[[Mapping[str, Any]], int]
) -> HttpResponse | None:
    """Ask for the reason of the chosen action; with one, ``act`` on what the form came to.

    ``act`` returns the row after which a next press goes on, 0 where nothing is left. None leads back to the list.
    """
    form = Why(request.POST if "reason" in request.POST else None, label_suffix="")
    status = 200
    if form.is_bound and form.is_valid():
        last = act(form.cleaned_data)
        if not last:
            return None
        form = Why(initial={"reason": form.cleaned_data["reason"], "after": last}, label_suffix="")
    elif form.is_bound:
        status = 422
    across = request.POST.get("select_across") == "1"
    chosen = request.POST.getlist(ACTION_CHECKBOX_NAME)
    context = {
        **page.admin_site.each_context(request),
        "opts": page.opts,
        "title": label,
        "form": form,
        "label": label,
        "number": rows.count(),
        "action": request.POST.get("action", ""),
        "across": across,
        # with all rows meant, one stands for them
        "chosen": chosen[:1] if across else chosen,
        "back": request.get_full_path(),
    }
    return TemplateResponse(request, "adminsite/why.html", context, status=status)
