"""What a review document says, as immutable values: the result of parsing, before any database."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

Severity = Literal["critical", "high", "medium", "low", "info"]
Status = Literal["open", "fixed", "rejected", "deferred"]
Outcome = Literal["passed", "failed", "skipped", "unknown"]

SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low", "info")


class BadInput(Exception):
    """The bytes are refused; `code` is stable for programs, `message` is for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Note:
    """Something that was changed or cut on the way from bytes to text."""

    text: str
    lines: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the document says of itself, as written; None where it says nothing."""

    date: str | None = None
    reviewer: str | None = None
    ticket: str | None = None
    base_commit: str | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True)
class ParsedFinding:
    """One problem that the author lists, with the place it was read from and why it was read so."""

    title: str
    line_start: int
    line_end: int
    reason: str
    confidence: float
    ref: str | None = None
    severity: Severity | None = None
    severity_as_written: str | None = None
    category: str | None = None
    files: tuple[str, ...] = ()
    status: Status | None = None
    status_reason: str | None = None
    body: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    ticket_key: str | None = None
    references: tuple[str, ...] = ()
    # What a tool knows it by, as (algorithm, value); the value alone says nothing.
    fingerprints: tuple[tuple[str, str], ...] = ()
    rule: str | None = None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A part that looks like a finding and was not read as one."""

    line_start: int
    line_end: int
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class FixTier:
    """One step of the order in which the author wants things fixed."""

    label: str
    line: int
    refs: tuple[str, ...]
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CrossReference:
    """One finding's text names another finding of the same document."""

    source: str
    target: str
    line: int


@dataclass(frozen=True, slots=True)
class Signal:
    """The line with which a work log says how it ended; nothing in it is acted on."""

    name: str
    line: int
    ticket: str | None = None
    nonce: str | None = None
    payload: str | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """Something the author says was checked; `unknown` where no outcome is stated."""

    name: str
    outcome: Outcome
    detail: str
    line: int


@dataclass(frozen=True, slots=True)
class ActionItem:
    """One thing that the author wants done; `done` is None where the document says nothing of it."""

    text: str
    done: bool | None
    line: int
    section: str


@dataclass(frozen=True, slots=True)
class FileModified:
    """A file that the author says was changed, as written, and the findings that the line names."""

    path: str
    note: str
    line: int
    refs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TestPlan:
    """How something is to be tested, as written; `ref` is the finding it stands in."""

    # pytest would take the name for a class of tests.
    __test__: ClassVar[bool] = False

    text: str
    line_start: int
    line_end: int
    ref: str | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """A line that states evidence; `tests` is (passed, total), all counts of the line added up."""

    text: str
    line: int
    commits: tuple[str, ...] = ()
    tests: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Earlier:
    """What the document says of an earlier version; `refs` are that version's, each with what became of it."""

    version: str | None
    text: str
    line: int
    refs: tuple[tuple[str, Status | None], ...] = ()
    all_verified: bool = False


@dataclass(frozen=True, slots=True)
class ParsedReview:
    """Everything read from one document."""

    name: str
    sha256: str
    text: str
    notes: tuple[Note, ...]
    title: str | None
    metadata: Metadata
    findings: tuple[ParsedFinding, ...]
    left_out: tuple[LeftOut, ...]
    stated_totals: tuple[tuple[str, int], ...]
    found_totals: tuple[tuple[str, int], ...]
    disagreements: tuple[str, ...]
    verdict: str | None = None
    signal: Signal | None = None
    fix_order: tuple[FixTier, ...] = ()
    cross_references: tuple[CrossReference, ...] = field(default=())
    checks: tuple[Check, ...] = ()
    action_items: tuple[ActionItem, ...] = ()
    files_modified: tuple[FileModified, ...] = ()
    test_plans: tuple[TestPlan, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    earlier: tuple[Earlier, ...] = ()
    form: str = "markdown"
    tool: str | None = None
