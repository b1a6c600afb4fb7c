"""Threads of a code review: who said what, where, and whether it is resolved."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from reviews.importing.forms.gathering import Gathering, Lines, fingerprint
from reviews.importing.forms.remarks import read_remark
from reviews.importing.forms.values import clipped, inside, line_text, path_of, place, text_of
from reviews.importing.model import ParsedFinding, Status

MAX_BODY: Final = 4_000
MAX_REPLIES: Final = 50


@dataclass(frozen=True, slots=True)
class Comment:
    """One remark, as its platform gives it."""

    id: str
    author: str
    body: str
    url: str = ""


@dataclass(slots=True)
class ReviewThread:
    """A remark with its answers; `resolved` is None where the export does not say."""

    lines: Lines
    first: Comment
    path: str = ""
    start: int | None = None
    end: int | None = None
    resolved: bool | None = None
    resolved_by: str = ""
    outdated: bool = False
    replies: list[Comment] = field(default_factory=list)

    def reply(self, comment: Comment) -> None:
        if len(self.replies) < MAX_REPLIES:
            self.replies.append(comment)


def comment_of(said: object) -> Comment:
    """A comment of either platform: REST, GraphQL or a printed list."""
    author = inside(said, "user") or inside(said, "author")
    name = next(filter(None, (line_text(inside(author, key), 80) for key in ("login", "username", "name"))), "")
    ids = (line_text(inside(said, key), 100) for key in ("databaseId", "id"))
    urls = (line_text(inside(said, key)) for key in ("html_url", "url"))
    return Comment(
        next(filter(None, ids), ""), name, text_of(inside(said, "body"), MAX_BODY), next(filter(None, urls), "")
    )


def path_and_lines(said: dict[str, Any], *pairs: tuple[str, str]) -> tuple[str, Any, Any]:
    """The path, and the first pair of lines that says where a remark ends."""
    for start, end in pairs:
        if said.get(end) is not None:
            return path_of(said.get("path")), said.get(start) if said.get(start) is not None else said[end], said[end]
    return path_of(said.get("path")), None, None


def add_thread(thread: ReviewThread, platform: str, gathering: Gathering) -> None:
    """The thread as a finding, unless its first remark asks for nothing."""
    first = thread.first
    remark = read_remark(first.body)
    if remark.nothing is not None:
        gathering.leave_out(thread.lines, remark.title, remark.nothing)
        return
    status: Status | None = None if thread.resolved is None else "fixed" if thread.resolved else "open"
    by = f" by {thread.resolved_by}" if thread.resolved_by else ""
    talk = [f"{reply.author or 'someone'}: {reply.body}" for reply in thread.replies if reply.body]
    pairs = (
        ("By", first.author),
        ("Link", first.url),
        ("Outdated", "yes" if thread.outdated else ""),
        ("Answers", str(len(thread.replies)) if thread.replies else ""),
    )
    gathering.add(
        ParsedFinding(
            title=remark.title or clipped(line_text(first.body), 200),
            line_start=thread.lines[0],
            line_end=thread.lines[1],
            reason=f"a review thread{f' of {first.author}' if first.author else ''}",
            confidence=1.0,
            severity=remark.severity,
            severity_as_written=remark.written,
            category=remark.category,
            files=(place(thread.path, thread.start, thread.end),) if thread.path else (),
            status=status,
            status_reason=f"the thread was resolved{by}" if thread.resolved else None,
            body=clipped("\n\n".join((first.body, *talk)), MAX_BODY),
            fields=tuple(pair for pair in pairs if pair[1]),
            fingerprints=(fingerprint(f"{platform}:comment", first.id),) if first.id else (),
        )
    )
