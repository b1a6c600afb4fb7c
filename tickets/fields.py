"""Fields and forms for what people type: bounded, and without characters that no database keeps."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from datetime import date
from typing import Any, Final, TypeVar

from django import forms
from django.core.exceptions import ValidationError

from portal.core import limits
from portal.core.lifecycle import Refused
from portal.core.unseen import is_unseen
from tickets import host_keys as host_keys_of
from tickets import policy

HIGHEST_ID: Final = 2**63 - 1
# of a list that is typed as lines; how many lines, and how long, is said of each
LIST_CHARS: Final = 100_000
# no history is older, and a day after the last is one, too
FIRST_YEAR: Final = 2000
LAST_YEAR: Final = 9000
Done = TypeVar("Done")


class Words(forms.CharField):
    """One line of text. ``limit`` names a bound of the registry, or is one."""

    widget: type[forms.Widget] = forms.TextInput
    lines = False

    def __init__(self, *, limit: str | int, label: str, **options: Any) -> None:
        self.limit = limit
        options.setdefault("error_messages", {"required": f"{label} is required."})
        super().__init__(label=label, **options)

    def clean(self, value: Any) -> str:
        if isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value):
            raise ValidationError(
                f"{self.label} contains half a character (a lone surrogate), which no database keeps."
            )
        if isinstance(value, str) and "\x00" in value:
            raise ValidationError(f"{self.label} contains a NUL character, which no database keeps.")
        text: str = super().clean(value)
        if text and is_unseen(text):
            text = ""
            if self.required:
                raise ValidationError(self.error_messages["required"], code="required")
        most = self.limit if isinstance(self.limit, int) else limits.value(self.limit)
        if len(text) > most:
            raise ValidationError(f"At most {most:,} characters (you sent {len(text):,}).")
        return text

    def to_python(self, value: Any) -> str:
        text = super().to_python(value) or ""
        if self.lines:
            # A form sends every line end as CR LF, whatever was typed.
            return text.replace("\r\n", "\n").replace("\r", "\n")
        return "".join(" " if unicodedata.category(letter) == "Cc" else letter for letter in text).strip()


class Lines(Words):
    """Text of many lines."""

    widget = forms.Textarea
    lines = True


class Day(Words):
    """A day as 2026-11-28; what comes of it is that text again."""

    def __init__(self, label: str) -> None:
        super().__init__(limit=20, label=label, required=False)

    def clean(self, value: Any) -> str:
        text = super().clean(value)
        if not text:
            return ""
        try:
            found = date.fromisoformat(text)
        except ValueError:
            raise ValidationError(f"{self.label} is a day such as 2026-11-28, not “{text}”.") from None
        if not FIRST_YEAR <= found.year <= LAST_YEAR:
            raise ValidationError(f"{self.label} lies between the years {FIRST_YEAR} and {LAST_YEAR}.")
        return found.isoformat()


class Commands(Lines):
    """Commands, one a line; what comes of it is the list of their argument lists. No shell reads them."""

    def clean(self, value: Any) -> Any:
        return _as_list(policy.commands_of, super().clean(value))

    def prepare_value(self, value: Any) -> Any:
        return policy.commands_text(value) if isinstance(value, list) else value


class Patterns(Lines):
    """Patterns of paths, one a line; what comes of it is their list."""

    def clean(self, value: Any) -> Any:
        return _as_list(policy.patterns_of, super().clean(value))

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value


def _as_list(read: Callable[[str], list[Any]], text: str) -> list[Any]:
    try:
        return read(text)
    except policy.Unfit as error:
        raise ValidationError(error.problems) from None


class Checked(Words):
    """One line of text that a rule may refuse; ``problem_of`` says why, and "" where it does not."""

    def __init__(self, problem_of: Callable[[str], str], **options: Any) -> None:
        self.problem_of = problem_of
        super().__init__(**options)

    def clean(self, value: Any) -> str:
        text = super().clean(value)
        if problem := self.problem_of(text):
            raise ValidationError(problem)
        return text


class Chooser(forms.ClearableFileInput):
    """Takes several files at once."""

    allow_multiple_selected = True


class Files(forms.FileField):
    """Files, each a whole upload; what is too much is said by ``tickets.attachments.check_files``."""

    widget = Chooser

    def clean(self, data: Any, initial: Any = None) -> list[Any]:
        found = [one for one in data or [] if one]
        if not found and self.required:
            raise ValidationError(self.error_messages["required"], code="required")
        return [super(Files, self).clean(one, initial) for one in found]


class Form(forms.Form):
    """A form whose fields have ids of their own on a page of many forms.

    What nobody asked for is ignored; what is asked for once and sent twice is refused.
    """

    use_required_attribute = False
    name = "form"

    def __init__(self, *arguments: Any, **options: Any) -> None:
        options.setdefault("auto_id", f"{self.name}-%s")
        options.setdefault("label_suffix", "")
        super().__init__(*arguments, **options)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        several = getattr(self.data, "getlist", None)
        for name, field in self.fields.items():
            many = isinstance(field, forms.MultipleChoiceField | forms.ModelMultipleChoiceField | Files)
            if several and not many and len(several(self.add_prefix(name))) > 1:
                self.add_error(name, f"{field.label or name} is given twice.")
        for name in [name for name in self.errors if name != "__all__" and self[name].is_hidden]:
            del self.errors[name]
            self.add_error(None, "The form was damaged on its way. Look at the page again, then send it.")
        return cleaned

    def carry_out(self, act: Callable[[dict[str, Any]], Done]) -> tuple[int, Done | None]:
        """Do what is asked with what was typed: ``(200, what act returned)``.

        Otherwise the HTTP status of the refusal and None; its reason is on the form, beside what was typed.
        """
        if not self.is_valid():
            return 422, None
        try:
            return 200, act(self.cleaned_data)
        except Refused as refusal:
            self.add_error(None, str(refusal))
            return refusal.status, None


class Versioned(Form):
    """A form about one row as it was seen; the template writes the version that it shows."""

    expected_version = forms.IntegerField(min_value=0, max_value=2**31 - 1, widget=forms.HiddenInput)


def reason(label: str = "Reason", *, required: bool = True, **options: Any) -> Lines:
    return Lines(limit=2000, label=label, required=required, widget=forms.Textarea(attrs={"rows": 3}), **options)


def repository(more: str = "", **options: Any) -> Checked:
    return Checked(
        policy.repository_problem,
        limit=500,
        label="Repository",
        required=False,
        help_text=f"A path on the machine of the workers, or a URL that git can fetch there, without a password.{more}",
        **options,
    )


def secret_name(label: str, help_text: str, **options: Any) -> Words:
    return Words(limit=80, label=label, required=False, help_text=help_text, **options)


def host_keys(widget: forms.Widget) -> Lines:
    return Lines(
        limit=host_keys_of.MOST_CHARS,
        label="Host keys",
        required=False,
        widget=widget,
        help_text="Lines of known_hosts for the repository’s host, as those who run it publish them. No host with"
        " another key is spoken to.",
    )


def branch(**options: Any) -> Checked:
    return Checked(
        policy.branch_problem,
        limit=200,
        label="Target branch",
        required=False,
        help_text="Accepted work is merged into it. Empty: the one that is checked out in the repository.",
        **options,
    )


def checks(widget: forms.Widget) -> Commands:
    return Commands(
        limit=LIST_CHARS,
        label="Checks",
        required=False,
        widget=widget,
        help_text="Commands, one a line, such as make test. The portal runs each in the turn’s worktree, without a"
        " shell; all must exit with 0, and one that finds no tests has failed.",
    )


def allowed_paths(widget: forms.Widget) -> Patterns:
    return Patterns(
        limit=LIST_CHARS,
        label="Allowed paths",
        required=False,
        widget=widget,
        help_text="What a turn may change, one pattern a line, such as src/ or docs/**/*.md. Empty: everything.",
    )


def number_of(text: str | None) -> int | None:
    """An id as an address carries it; None for anything that no row can have."""
    if not text or not (text.isascii() and text.isdecimal()) or len(text) > 19:
        return None
    found = int(text)
    return found if 0 < found <= HIGHEST_ID else None
