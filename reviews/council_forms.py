"""What people may send about councils: who is asked about what, a review of one's own, a vote, an end."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError

from portal.core import limits
from portal.core.access import Role
from portal.core.models import User
from portal.core.quoting import plain
from reviews.councils.asking import problem_of_deadline
from reviews.councils.subjects import Subject
from reviews.decision_forms import Until
from reviews.forms import Chosen, DocumentForm
from reviews.models import Ballot, Council, CouncilState
from tickets import policy
from tickets.fields import Checked, Form, Lines, Versioned, Words, reason
from tickets.forms import ProjectChoice
from tickets.models import Project, Ticket
from tickets.queries import assignable
from workers.models import Agent

About = Council.About
# What a person can type on the page; a deployment is asked about from its own.
TYPED: Final = (About.BRANCH, About.DIFF, About.TICKET)
SERIES: Final = "Council reviews"


class Agents(Chosen):
    widget = forms.CheckboxSelectMultiple

    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.name} (v{obj.newest})"


class MembersForm(Form):
    """Who is asked, how, and what ends it; about what is said by the page."""

    name = "council"
    agents = Agents(
        Agent.objects.none(),
        label="Agents",
        required=False,
        error_messages={"invalid_choice": "Choose agents of the list.", "invalid_list": "Choose agents of the list."},
    )
    people = Lines(
        limit=5000,
        label="People",
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="E-mail addresses of operators of the project, one a line. Others may join by handing in a review.",
    )
    instructions = Lines(
        limit="BODY_MAX_CHARS",
        label="What to look at",
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="Each agent is told this, how to write its review, and where. It may change nothing.",
    )
    series = Words(
        limit=200,
        label="Series",
        initial=SERIES,
        help_text="Of which their documents become versions: what two of them say of one problem is one finding.",
        widget=forms.TextInput(attrs={"list": "known-series", "autocomplete": "off"}),
    )
    quorum = forms.IntegerField(
        label="Votes that end it",
        required=False,
        min_value=1,
        max_value=50,
        help_text="Empty: those of all members.",
        widget=forms.NumberInput(attrs={"class": "in short"}),
    )
    deadline = Until(
        label="Deadline",
        required=False,
        help_text="At the end of that day, UTC, the votes that are in count, if they are as many as named above.",
    )
    imports = forms.BooleanField(label="Import their documents as they arrive", required=False)

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.fields["agents"].queryset = assignable()  # type: ignore[attr-defined]
        self.fields["quorum"].max_value = limits.value("COUNCIL_MEMBERS")  # type: ignore[attr-defined]

    def clean_deadline(self) -> Any:
        deadline = self.cleaned_data["deadline"]
        if deadline and (problem := problem_of_deadline(deadline)):
            raise ValidationError(problem)
        return deadline

    def clean_people(self) -> list[User]:
        names = list(dict.fromkeys(line.strip() for line in self.cleaned_data["people"].splitlines() if line.strip()))
        if len(names) > (most := limits.value("COUNCIL_MEMBERS")):
            raise ValidationError(f"A council has at most {most} members (you named {len(names)}).")
        people = User.objects.filter(email__in=[*names, *map(str.lower, names)])
        found = {person.email.lower(): person for person in people}
        missing = [plain(name) for name in names if name.lower() not in found]
        if missing:
            raise ValidationError(f"No operator of the project has the address {', '.join(missing)}.")
        return [found[name.lower()] for name in names]

    def asked(self) -> dict[str, Any]:
        """As ``asking.ask`` takes it."""
        said = self.cleaned_data
        return {
            "agents": list(said["agents"]),
            "people": said["people"],
            "instructions": said["instructions"],
            "series_name": said["series"],
            "quorum": said["quorum"] or 0,
            "deadline": said["deadline"],
            "imports": said["imports"],
        }


class AboutForm(MembersForm):
    """A council about what is typed: a branch, tag or commit, a diff between two, the work of a ticket."""

    about = forms.ChoiceField(
        label="About",
        choices=[(one.value, one.label) for one in TYPED],
        error_messages={"required": "Choose what it is about.", "invalid_choice": "Choose what it is about."},
    )
    asked_for = Checked(
        policy.branch_problem,
        limit=200,
        label="Which",
        required=False,
        help_text="A branch, a tag or a commit; of a ticket its key. Empty: the target branch.",
    )
    since = Checked(
        policy.branch_problem,
        limit=200,
        label="Since",
        required=False,
        help_text="Of a diff: the branch, tag or commit where it begins.",
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        project, about = self.project(cleaned), cleaned.get("about")
        if project is not None and about and not {"asked_for", "since"} & set(self.errors):
            cleaned["subject"] = self.subject_in(project, About(about), cleaned["asked_for"], cleaned["since"])
        return cleaned

    def project(self, cleaned: dict[str, Any]) -> Project | None:
        """Of which project it is."""
        return cleaned.get("project")

    def subject_in(self, project: Project, about: Council.About, name: str, since: str) -> Subject | None:
        if about is not About.DIFF and since:
            self.add_error("since", "Only a diff begins somewhere: choose “A diff”, or leave this empty.")
        if about is About.TICKET:
            ticket = Ticket.objects.filter(project=project, key=name.upper()).select_related("project").first()
            if ticket is None:
                self.add_error(
                    "asked_for", f"{project.key} has no ticket {plain(name)}." if name else "Name the ticket."
                )
                return None
            return Subject(about, ticket.key, ticket=ticket)
        if about is About.DIFF and not since:
            self.add_error("since", "Say where the diff begins.")
        return Subject(about, name, since)


class AskForm(AboutForm):
    """The same, of a project that is chosen on the page."""

    def __init__(self, user: Any, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        first: dict[str, forms.Field] = {"project": ProjectChoice(Role.OPERATOR, user)}
        first |= {name: self.fields.pop(name) for name in ("about", "asked_for", "since")}
        self.fields = {**first, **self.fields}


class HandInForm(DocumentForm):
    """A member's own review, as a file or as text."""

    name = "hand-in"

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        del self.fields["columns"]


class VoteForm(Form):
    name = "vote"
    ballot = forms.ChoiceField(
        label="Vote",
        choices=Ballot.choices,
        widget=forms.RadioSelect,
        error_messages={"required": "Choose what you vote.", "invalid_choice": "Choose what you vote."},
    )
    reason = reason("Why")


class CloseForm(Versioned):
    name = "close"


class VoidForm(Versioned):
    name = "void"
    reason = reason("Which commit is meant instead, and why")


class AgainForm(Versioned):
    """About a member: asked again, or its document imported."""

    name = "again"


class ImportForm(Form):
    name = "import"


class CouncilFilter(Form):
    name = "filter"
    project = Words(limit=10, label="Project", required=False)
    state = forms.ChoiceField(
        choices=[("", "Any state"), *CouncilState.choices],
        required=False,
        error_messages={"invalid_choice": "“%(value)s” is no state of a council."},
    )
    commit = Words(limit=64, label="Commit", required=False)
