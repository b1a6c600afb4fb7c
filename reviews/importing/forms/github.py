"""Code reviews as GitHub and GitLab export them: comments, reviews, threads and discussions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Final

from reviews.importing.forms.conversations import Comment, ReviewThread, add_thread, comment_of, path_and_lines
from reviews.importing.forms.gathering import Gathering, Lines
from reviews.importing.forms.json_document import JsonDocument, Span
from reviews.importing.forms.said import Said
from reviews.importing.forms.values import inside, line_number, line_text, objects, path_of
from reviews.importing.model import Metadata

FORM: Final = "code review"
MAX_NESTED: Final = 10
MAX_NAMED: Final = 5
STATES: Final = frozenset({"APPROVED", "CHANGES_REQUESTED", "COMMENTED", "DISMISSED", "PENDING"})

_REVIEW_LINES: Final = (("startLine", "line"), ("originalStartLine", "originalLine"))
_REST_LINES: Final = (("start_line", "line"), ("original_start_line", "original_line"))


class _Reading:
    """What is gathered over all pages of an export."""

    def __init__(self, gathering: Gathering) -> None:
        self.gathering = gathering
        self.threads: dict[str, ReviewThread] = {}
        self.loose: list[ReviewThread] = []
        self.answers: list[tuple[str, ReviewThread]] = []
        self.authors: Counter[str] = Counter()
        self.commits: set[str] = set()
        self.said: dict[str, str] = {}

    def add(self, thread: ReviewThread) -> None:
        self.authors[thread.first.author] += 1
        if thread.first.id and thread.first.id not in self.threads:
            self.threads[thread.first.id] = thread
        else:
            self.loose.append(thread)


def recognises(document: JsonDocument) -> bool:
    return bool(_kinds(document))


def _kinds(document: JsonDocument) -> list[tuple[str, Span]]:
    """Each list of the document that is a part of a review, with what it is a list of."""
    found: list[tuple[str, Span]] = []
    for root in document.roots:
        if document.is_list(root):
            found.extend((kind, root) for kind in [_kind_of(document, root)] if kind)
        else:
            found.extend(_nested(document, root))
    return found


def _kind_of(document: JsonDocument, span: Span) -> str:
    for element in islice(document.elements(span), 20):
        keys = set(document.members(element))
        if "pull_request_review_id" in keys or {"diff_hunk", "path", "body"} <= keys:
            return "comments"
        if {"state", "body", "user"} <= keys and keys & {"submitted_at", "pull_request_url"}:
            return "reviews"
        if "notes" in keys and keys & {"individual_note", "id"}:
            return "discussions"
        if {"issue_url", "body", "user"} <= keys:
            return "remarks"
    return ""


def _nested(document: JsonDocument, root: Span) -> Iterator[tuple[str, Span]]:
    """The lists of a GraphQL answer, or of `gh pr view --json`, however deep they stand."""
    waiting = [(root, 0)]
    while waiting:
        span, depth = waiting.pop()
        members = document.members(span)
        for key, value in members.items():
            held = document.members(value)
            nodes = held.get("nodes") or held.get("edges") or value
            if key == "reviewThreads" and document.is_list(nodes):
                yield "threads", nodes
            elif key in ("reviews", "latestReviews") and document.is_list(nodes) and _is_reviews(document, nodes):
                yield "reviews", nodes
            elif key == "comments" and document.is_list(nodes) and (kind := _kind_of(document, nodes)):
                yield kind, nodes
            elif held and depth < MAX_NESTED:
                waiting.append((value, depth + 1))


def _is_reviews(document: JsonDocument, span: Span) -> bool:
    first = next(document.elements(span), None)
    return first is None or "state" in document.members(first) or "node" in document.members(first)


def read(document: JsonDocument, gathering: Gathering) -> Said:
    reading = _Reading(gathering)
    kinds = _kinds(document)
    for kind, span in kinds:
        for element in document.elements(span):
            _READERS[kind](document.load(element), document.lines(element), reading)
    for parent, answer in reading.answers:
        thread = reading.threads.get(parent)
        if thread is None:
            reading.add(answer)
        else:
            thread.reply(answer.first)
    platform = "gitlab" if any(kind == "discussions" for kind, _ in kinds) else "github"
    for thread in sorted((*reading.threads.values(), *reading.loose), key=lambda one: one.lines):
        add_thread(thread, platform, gathering)
    named = ", ".join(name for name in sorted(filter(None, reading.authors))[:MAX_NAMED])
    commit = next(iter(reading.commits)) if len(reading.commits) == 1 else None
    metadata = Metadata(reviewer=named or None, base_commit=commit)
    return Said("Code review" + (f" by {named}" if named else ""), platform, metadata, _verdict(reading.said))


def _verdict(said: Mapping[str, str]) -> str | None:
    """The last word of each reviewer, and the strictest of them."""
    for state, words in (("CHANGES_REQUESTED", "changes requested"), ("APPROVED", "approved")):
        names = sorted(name or "someone" for name, last in said.items() if last == state)
        if names:
            return f"{words} by {', '.join(names[:MAX_NAMED])}"
    return None


def _comment(said: object, lines: Lines, reading: _Reading) -> None:
    """A comment of GitHub's REST interface; answers name the comment that they answer."""
    if not isinstance(said, dict):
        reading.gathering.leave_out(lines, "", "an entry that is no comment")
        return
    path, start, end = path_and_lines(said, *_REST_LINES)
    thread = ReviewThread(lines, comment_of(said), path, line_number(start), line_number(end))
    thread.outdated = said.get("line", 0) is None and said.get("original_line") is not None
    if commit := line_text(said.get("commit_id"), 64):
        reading.commits.add(commit)
    parent = line_text(said.get("in_reply_to_id"), 100)
    if parent:
        reading.answers.append((parent, thread))
    else:
        reading.add(thread)


def _thread(said: object, lines: Lines, reading: _Reading) -> None:
    """A review thread of GitHub's GraphQL interface."""
    node = inside(said, "node") or said
    held = inside(node, "comments")
    listed = held if isinstance(held, list) else inside(held, "nodes")
    if listed is None:
        listed = [one.get("node") for one in objects(inside(held, "edges"))]
    comments = [comment_of(one) for one in objects(listed)]
    if not isinstance(node, dict) or not comments:
        reading.gathering.leave_out(lines, "", "a thread without a remark")
        return
    first = next(objects(listed))
    path, start, end = path_and_lines({**first, **{k: v for k, v in node.items() if v is not None}}, *_REVIEW_LINES)
    resolved = node.get("isResolved")
    thread = ReviewThread(lines, comments[0], path, line_number(start), line_number(end))
    thread.resolved = resolved if isinstance(resolved, bool) else None
    thread.resolved_by = line_text(inside(node, "resolvedBy", "login"), 80)
    thread.outdated = node.get("isOutdated") is True
    for comment in comments[1:]:
        thread.reply(comment)
    reading.add(thread)


def _review(said: object, lines: Lines, reading: _Reading) -> None:
    """A review as a whole: its words are a finding where it asks for changes."""
    node = inside(said, "node") or said
    state = line_text(inside(node, "state"), 40).upper()
    comment = comment_of(node)
    if state in ("APPROVED", "CHANGES_REQUESTED", "DISMISSED"):
        reading.said[comment.author] = state
    commit = line_text(inside(node, "commit_id"), 64) or line_text(inside(node, "commit", "oid"), 64)
    if commit:
        reading.commits.add(commit)
    if not comment.body:
        return
    if state == "CHANGES_REQUESTED":
        reading.add(ReviewThread(lines, Comment(f"review {comment.id}", comment.author, comment.body, comment.url)))
    else:
        word = state.lower().replace("_", " ") or "without a state"
        title = line_text(comment.body, 200)
        reading.gathering.leave_out(lines, title, f"the words of a review as a whole ({word})")


def _discussion(said: object, lines: Lines, reading: _Reading) -> None:
    """A discussion of a GitLab merge request."""
    notes = [note for note in objects(inside(said, "notes")) if note.get("system") is not True]
    if not notes:
        reading.gathering.leave_out(lines, "", "a note of the system's own")
        return
    first = notes[0]
    comment = comment_of(first)
    resolvable = [note for note in notes if note.get("resolvable") is True]
    position = first.get("position")
    if not resolvable and not isinstance(position, dict):
        reading.gathering.leave_out(lines, line_text(comment.body, 200), "a remark that nobody can resolve")
        return
    path = path_of(inside(position, "new_path")) or path_of(inside(position, "old_path"))
    side = "new_line" if inside(position, "new_line") is not None else "old_line"
    end = line_number(inside(position, side))
    start = line_number(inside(position, "line_range", "start", side)) or end
    thread = ReviewThread(lines, comment, path, start, end)
    if resolvable:
        thread.resolved = all(note.get("resolved") is True for note in resolvable)
        thread.resolved_by = line_text(inside(resolvable[-1], "resolved_by", "username"), 80)
    if commit := line_text(inside(position, "head_sha"), 64):
        reading.commits.add(commit)
    for note in notes[1:]:
        thread.reply(comment_of(note))
    reading.add(thread)


def _remark(said: object, lines: Lines, reading: _Reading) -> None:
    title = line_text(comment_of(said).body, 200)
    reading.gathering.leave_out(lines, title, "a remark on the pull request as a whole, at no line")


_READERS: Final[dict[str, Callable[[object, Lines, _Reading], None]]] = {
    "comments": _comment,
    "threads": _thread,
    "reviews": _review,
    "discussions": _discussion,
    "remarks": _remark,
}
