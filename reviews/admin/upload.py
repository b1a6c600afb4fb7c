"""The form by which the admin receives a document."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from reviews.forms import UploadForm
from reviews.models import Review
from tickets.models import Project

# what the page's form calls the fields that are in the model's way here
NAMES = {"project": "of_project", "series": "series_name", "file": "document", "text": "text"}


class Upload(forms.ModelForm):  # type: ignore[type-arg]
    """A document to be read: a file, or text. What it may be is what the page of uploads says."""

    # who sends it; set by the page, for each request
    user: ClassVar[Any] = None
    of_project = forms.ModelChoiceField(
        Project.objects.order_by("key"), label="Project", widget=UnfoldAdminSelectWidget
    )
    series_name = forms.CharField(
        label="Series", required=False, widget=UnfoldAdminTextInputWidget, help_text="What is reviewed again and again."
    )
    document = forms.FileField(
        label="File", required=False, allow_empty_file=True, max_length=None, widget=UnfoldAdminFileFieldWidget
    )
    text = forms.CharField(
        label="Or paste its text", required=False, strip=False, widget=UnfoldAdminTextareaWidget(attrs={"rows": 12})
    )

    class Meta:
        model = Review
        fields = ()

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or self.cleaned_data
        project, file = cleaned.get("of_project"), cleaned.get("document")
        if project is None:
            return cleaned
        if file:
            file.seek(0)
        sent = {"project": project.key, "series": cleaned.get("series_name"), "text": cleaned.get("text")}
        checked = UploadForm(self.user, sent, {"file": file} if file else {})
        if checked.is_valid():
            return cleaned | {name: checked.cleaned_data[name] for name in ("series", "content", "file_name")}
        for name, errors in checked.errors.as_data().items():
            self.add_error(NAMES.get(name), errors)
        return cleaned
