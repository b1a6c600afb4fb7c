"""What people may send to projects and tickets."""

from __future__ import annotations

import re
import secrets
from typing import Any, ClassVar, NamedTuple

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from portal.core import limits
from portal.core.access import Role
from portal.core.models import User
from tickets import policy
from tickets.fields import (
    Files,
    Form,
    Lines,
    Versioned,
    Words,
    allowed_paths,
    branch,
    checks,
    reason,
    repository,
)
from tickets.models import Landing, MergeStrategy, Project, Question, TicketState
from tickets.queries import assignable
from tickets.rights import projects_with
from workers.models import Agent


class ProjectChoice(forms.ModelChoiceField):  # type: ignore[type-arg]
    """A project, by its key, of those that the person may choose from."""

    def __init__(self, role: Role, user: Any) -> None:
        super().__init__(
            projects_with(user, role),
            to_field_name="key",
            label="Project",
            empty_label="Choose a project",
            error_messages={"required": "Choose a project.", "invalid_choice": "Choose a project of the list."},
        )

    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.key} · {obj.name}"


class NewProjectForm(Form):
    name = "project"
    key = Words(
        limit=10,
        label="Key",
        widget=forms.TextInput(attrs={"class": "in short mono", "autofocus": "", "autocapitalize": "characters"}),
        help_text="2 to 10 capital letters and digits, a letter first, such as MC. It begins the names of "
        "its tickets, and never changes.",
    )
    title = Words(limit=100, label="Name", widget=forms.TextInput(attrs={"data-draft": ""}))
    repository = repository(" Agents need it; it can be set later.")

    def clean_key(self) -> str:
        key = str(self.cleaned_data["key"])
        if not re.fullmatch(r"[A-Z][A-Z0-9]{1,9}", key, re.ASCII):
            raise ValidationError("2 to 10 capital letters and digits, a letter first.")
        return key


class Now(NamedTuple):
    """What the row has in a field that was typed over."""

    label: str
    text: str


class OfProject(Versioned):
    """Settings of a project as its owner saw them; fields have the names of its columns, but for its name.

    One that comes too late keeps what was typed and shows what is there now
    where that is something else. It then speaks of the version that it shows,
    so that sending it again is a decision.
    """

    columns: ClassVar[dict[str, str]] = {"title": "name"}

    def __init__(self, project: Project, data: Any = None) -> None:
        super().__init__(data, initial=self._stored(project))
        self.seen = str(project.version if data is None else data.get("expected_version", ""))
        self.now: list[Now] = []

    def _stored(self, project: Project) -> dict[str, Any]:
        names = [name for name in self.base_fields if name != "expected_version"]
        return {name: getattr(project, self.columns.get(name, name)) for name in names}

    def asked(self) -> dict[str, Any]:
        return {self.columns.get(name, name): self.cleaned_data[name] for name in self.initial}

    def look_again(self, project: Project) -> None:
        stored = self._stored(project)
        differing = [name for name, value in stored.items() if self.cleaned_data[name] != value]
        self.now = [Now(str(self.fields[name].label), self._in_words(name, stored[name])) for name in differing]
        self.seen = str(project.version)

    def _in_words(self, name: str, value: Any) -> str:
        field = self.fields[name]
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(field, forms.ChoiceField):
            return str(dict(field.choices)[value])  # type: ignore[arg-type]
        return str(field.prepare_value(value))


class SettingsForm(OfProject):
    name = "settings"
    title = Words(limit=100, label="Name")
    repository = repository()

    def __init__(self, project: Project, data: Any = None) -> None:
        super().__init__(project, data)
        self.project = project

    def clean_repository(self) -> str:
        asked = str(self.cleaned_data["repository"])
        if problem := policy.moved_problem(self.project, asked):
            raise ValidationError(problem)
        return asked


class PolicyForm(OfProject):
    """How agents' work is taken in."""

    name = "policy"
    target_branch = branch()
    merge_strategy = forms.ChoiceField(
        label="How it is merged",
        choices=MergeStrategy.choices,
        help_text="A merge commit keeps the turn's commits as they are; a rebase puts them on top, in one line.",
        error_messages={"invalid_choice": "Choose one of the list.", "required": "Choose one of the list."},
    )
    landing = forms.ChoiceField(
        label="Who brings it in",
        choices=Landing.choices,
        help_text="Where only people may push to the target branch, by a pull request: the portal pushes the ticket’s"
        " branch, and sees when it was merged.",
        error_messages={"invalid_choice": "Choose one of the list.", "required": "Choose one of the list."},
    )
    checks = checks(forms.Textarea(attrs={"rows": 4, "class": "in mono", "spellcheck": "false"}))
    allowed_paths = allowed_paths(forms.Textarea(attrs={"rows": 4, "class": "in mono", "spellcheck": "false"}))
    second_agent = forms.BooleanField(
        label="Another agent reviews first",
        required=False,
        help_text="Work is accepted once an agent other than its author has approved exactly that commit.",
    )
    default_answers = forms.BooleanField(
        label="A question’s own default answers at its deadline",
        required=False,
        help_text="Where an agent gave its question a default and a deadline, its ticket does not wait for a person"
        " any longer than that.",
    )


class MemberForm(Form):
    name = "member"
    email = Words(limit=254, label="E-mail address", widget=forms.EmailInput)
    role = forms.TypedChoiceField(
        coerce=lambda value: Role(int(value)),
        choices=[(role.value, role.label.capitalize()) for role in Role],
        error_messages={"invalid_choice": "Choose a role of the list."},
    )

    def clean_email(self) -> User:
        address = self.cleaned_data["email"]
        validate_email(address)
        user = User.objects.filter(email__iexact=address, is_active=True).first()
        if user is None:
            raise ValidationError("Nobody here has this address. An admin makes accounts.")
        return user


class LeavingForm(Form):
    name = "leaving"
    user = forms.ModelChoiceField(User.objects.all(), widget=forms.HiddenInput)


class NewTicketForm(Form):
    name = "ticket"
    title = Words(limit="TITLE_MAX_CHARS", label="Title", widget=forms.TextInput(attrs={"data-draft": ""}))
    body = Lines(
        limit="BODY_MAX_CHARS",
        label="What to do",
        required=False,
        widget=forms.Textarea(attrs={"rows": 12}),
        help_text="An agent is given these words, fenced off as data.",
    )

    def __init__(self, user: Any, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.fields = {"project": ProjectChoice(Role.OPERATOR, user), **self.fields}


class AttachForm(Form):
    """Files for a ticket; ``sha256`` is what the sender says that the one file has."""

    name = "attach"
    file = Files(
        label="Files",
        allow_empty_file=True,
        max_length=None,
        error_messages={"required": "Choose at least one file."},
    )
    sha256 = Words(limit=64, label="SHA-256", required=False, widget=forms.HiddenInput)

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        most, each = limits.value("REQUEST_FILES"), limits.value("ATTACHMENT_MAX_BYTES")
        at_most = f"At most {most} at once, each of at most {each:,} bytes. All are kept, or none."
        self.fields["file"].help_text = at_most

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if cleaned.get("sha256") and len(cleaned.get("file") or []) > 1:
            raise ValidationError("A SHA-256 is of one file: send one.")
        return cleaned


class RemoveFileForm(Form):
    name = "remove"
    reason = reason("Why it is removed")


class TicketFilter(Form):
    """The filters of the list, as its address carries them."""

    name = "filter"
    q = Words(limit=200, label="Words of a title, or a key", required=False)
    project = Words(limit=10, label="Project", required=False)
    state = forms.ChoiceField(
        choices=[("", "Any state"), *TicketState.choices],
        required=False,
        error_messages={"invalid_choice": "“%(value)s” is no state."},
    )
    agent = Words(limit=60, label="Agent", required=False)
    who = forms.ChoiceField(
        label="Given to",
        choices=[
            ("", "Anybody"),
            ("agent", "An agent"),
            ("nobody", "Nobody yet"),
            ("mine", "With a message of mine"),
        ],
        required=False,
        error_messages={"invalid_choice": "Tickets are given to an agent or to nobody, not to “%(value)s”."},
    )
    findings = forms.ChoiceField(
        choices=[("", "Any findings"), ("open", "With open findings"), ("without", "Without open findings")],
        required=False,
        error_messages={"invalid_choice": "Tickets are with or without open findings, not “%(value)s”."},
    )

    def clean(self) -> dict[str, Any]:
        """``project:MC`` typed among the words is the filter that it names, and so are the others."""
        cleaned = super().clean()
        words = str(cleaned.get("q") or "").split()
        for word in [word for word in words if re.fullmatch(r"(project|state|agent|who|findings):\S+", word)]:
            name, _, value = word.partition(":")
            words.remove(word)
            try:
                cleaned[name] = self.fields[name].clean(value.upper() if name == "project" else value)
            except ValidationError as problem:
                self.add_error(name, problem)
        return cleaned | {"q": " ".join(words)}


class AgentChoice(forms.ModelChoiceField):  # type: ignore[type-arg]
    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.name} (v{obj.newest})"


class AssignForm(Versioned):
    name = "assign"
    agent = AgentChoice(
        Agent.objects.none(),
        empty_label="Choose an agent",
        error_messages={
            "required": "Choose an agent.",
            "invalid_choice": "This agent cannot be assigned: it is switched off or has no profile.",
        },
    )

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.fields["agent"].queryset = assignable()  # type: ignore[attr-defined]


class ReviewForm(AssignForm):
    """An agent that reads the work of another one."""

    name = "review"


class StopForm(Form):
    name = "stop"
    reason = reason(required=False)


class AcceptForm(Versioned):
    name = "accept"
    reason = reason(required=False)


class ReopenForm(Versioned):
    name = "reopen"
    reason = reason("Why it is not done")


class TakeForm(Versioned):
    """A person has the ticket from now on, and its agent does not."""

    name = "take"
    reason = reason(required=False)


class HandBackForm(Versioned):
    name = "hand_back"
    agent = AgentChoice(
        Agent.objects.none(),
        required=False,
        empty_label="No agent yet",
        error_messages={"invalid_choice": "This agent cannot be assigned: it is switched off or has no profile."},
    )
    message = Lines(
        limit="MESSAGE_MAX_CHARS",
        label="What it should know",
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.fields["agent"].queryset = assignable()  # type: ignore[attr-defined]


class EditForm(Versioned):
    name = "edit"
    title = Words(limit="TITLE_MAX_CHARS", label="Title", widget=forms.TextInput(attrs={"data-draft": ""}))
    body = Lines(limit="BODY_MAX_CHARS", label="What to do", required=False, widget=forms.Textarea(attrs={"rows": 16}))


class AnswerForm(Versioned):
    """The answer to a question: one of its options, or words; a note with an option."""

    name = "answer"
    choice = forms.TypedChoiceField(
        coerce=int,
        empty_value=None,
        required=False,
        label="Answer",
        error_messages={"invalid_choice": "Choose an option of the question."},
    )
    text = Lines(limit="ANSWER_MAX_CHARS", label="Answer", required=False, widget=forms.Textarea(attrs={"rows": 3}))
    keep = forms.BooleanField(label="Keep as a decision of the project", required=False)

    def __init__(self, question: Question, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.question = question
        choices = [(str(place), option["label"]) for place, option in enumerate(question.options)]
        self.fields["choice"].choices = [("", "In words"), *choices]  # type: ignore[attr-defined]
        if choices:
            self.fields["text"].label = "Note to the agent"


class KeepForm(Versioned):
    """An answer becomes a decision of the project, or is one no more."""

    name = "keep"


class MessageForm(Form):
    """A message; its files are beside it. The key makes a second click the same message."""

    name = "message"
    body = Lines(limit="MESSAGE_MAX_CHARS", label="Message", required=False)
    internal = forms.BooleanField(label="Internal note", required=False)
    idempotency_key = Words(limit=64, label="Key", required=False, widget=forms.HiddenInput)

    def __init__(self, *arguments: Any, to: str = "", **options: Any) -> None:
        super().__init__(*arguments, **options)
        written_to = f"Write to {to}" if to else "Write a message"
        self.fields["body"].widget.attrs |= {"rows": 3, "placeholder": written_to, "data-send-keys": ""}

    def fresh_key(self) -> str:
        """Of the next message: a form that was refused may be sent again with other words."""
        return secrets.token_hex(16)
