"""Code reviews as GitHub and GitLab export them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reviews.importing import ParsedReview, parse

pytestmark = pytest.mark.once


def read(value: object) -> ParsedReview:
    return parse(json.dumps(value, indent=1).encode())


def comment(number: int, body: str, **parts: Any) -> dict[str, Any]:
    return {
        "id": number,
        "pull_request_review_id": 9,
        "diff_hunk": "@@ -1 +1 @@",
        "path": "tea.py",
        "line": 8,
        "start_line": None,
        "original_line": 5,
        "commit_id": "a" * 40,
        "user": {"login": "ada"},
        "body": body,
        "html_url": f"https://example.org/{number}",
        **parts,
    }


def test_comments_are_findings_and_their_answers_are_not() -> None:
    review = read(
        [
            comment(2, "Good point, will do.", in_reply_to_id=1, user={"login": "bob"}),
            comment(1, "**High:** The kettle is never emptied\n\nIt overflows."),
            comment(3, "nit: rename this", start_line=6),
            comment(4, "Old remark on a gone line", line=None),
        ]
    )
    assert (review.form, review.tool, review.metadata.base_commit) == ("code review", "github", "a" * 40)
    first, second, third = review.findings
    assert (first.title, first.severity, first.files) == ("The kettle is never emptied", "high", ("tea.py:8",))
    assert "bob: Good point, will do." in first.body and ("github:comment", "1") in first.fingerprints
    assert (second.title, second.severity, second.files) == ("rename this", "info", ("tea.py:6-8",))
    assert third.files == ("tea.py:5",) and dict(third.fields)["Outdated"] == "yes"
    assert [finding.status for finding in review.findings] == [None, None, None]


@pytest.mark.parametrize(
    "body", ["LGTM", "Nice catch!", "Thanks for this", "praise: lovely loop", ":+1: 👍", "thought: tea"]
)
def test_praise_and_thanks_are_left_out(body: str) -> None:
    review = read([comment(1, body)])
    assert review.findings == () and len(review.left_out) == 1


@pytest.mark.parametrize(
    ("body", "title", "severity"),
    [
        ("issue (blocking): tap drips", "tap drips", "critical"),
        ("suggestion (non-blocking): use a tray", "use a tray", "info"),
        ("![high](https://x/high.svg)\n\nThe lid is loose.", "The lid is loose.", "high"),
        ("_⚠️ Potential issue_ | _🟠 Major_\n\n**Lid is loose.**\n\nFix it.", "Lid is loose.", "high"),
        ("<!-- bot --><details><summary>Lid is loose</summary>x</details>", "Lid is loose", None),
        ("> quoted before\n\nThen the remark", "Then the remark", None),
        ("```suggestion\nx = 1\n```", "a suggested change", None),
        ("Why is this here?", "Why is this here?", None),
    ],
)
def test_a_remark_says_its_title_and_severity(body: str, title: str, severity: str | None) -> None:
    [finding] = read([comment(1, body)]).findings
    assert (finding.title, finding.severity) == (title, severity)


def test_a_review_that_asks_for_changes_is_a_finding_and_the_verdict() -> None:
    def whole(number: int, state: str, body: str, login: str) -> dict[str, Any]:
        return {
            "id": number,
            "user": {"login": login},
            "body": body,
            "state": state,
            "submitted_at": "2026-01-01T00:00:00Z",
        }

    review = read(
        [
            whole(1, "CHANGES_REQUESTED", "Kettle must be emptied first.", "ada"),
            whole(2, "APPROVED", "Fine by me.", "bob"),
            whole(3, "COMMENTED", "", "cy"),
        ]
    )
    assert [finding.title for finding in review.findings] == ["Kettle must be emptied first."]
    assert review.verdict == "changes requested by ada"
    assert [piece.reason for piece in review.left_out] == ["the words of a review as a whole (approved)"]
    approved = read([whole(1, "CHANGES_REQUESTED", "x", "ada"), whole(2, "APPROVED", "", "ada")])
    assert approved.verdict == "approved by ada"


def graphql(*threads: dict[str, Any]) -> dict[str, Any]:
    return {"data": {"repository": {"pullRequest": {"reviewThreads": {"nodes": list(threads)}}}}}


def thread(number: int, body: str, **parts: Any) -> dict[str, Any]:
    said = [{"id": f"n{number}", "databaseId": number, "body": body, "author": {"login": "ada"}, "url": "u"}]
    return {"path": "tea.py", "line": 3, "startLine": 2, "isOutdated": False, "comments": {"nodes": said}, **parts}


def test_threads_that_are_resolved_are_fixed() -> None:
    review = read(
        graphql(
            thread(1, "Tap drips", isResolved=True, resolvedBy={"login": "bob"}),
            thread(2, "Lid is loose", isResolved=False),
            thread(3, "Base is wet"),
        )
    )
    assert [(f.status, f.status_reason, f.files) for f in review.findings] == [
        ("fixed", "the thread was resolved by bob", ("tea.py:2-3",)),
        ("open", None, ("tea.py:2-3",)),
        (None, None, ("tea.py:2-3",)),
    ]
    assert ("github:comment", "1") in review.findings[0].fingerprints


def test_pages_of_threads_are_read_together() -> None:
    pages = "\n".join(json.dumps(graphql(thread(n, f"Tap {n} drips", isResolved=False))) for n in (1, 2))
    assert [(f.title, f.line_start) for f in parse(pages.encode()).findings] == [("Tap 1 drips", 1), ("Tap 2 drips", 2)]


def test_what_gh_prints_of_a_pull_request_is_read() -> None:
    reviews = [{"author": {"login": "ada"}, "state": "CHANGES_REQUESTED", "body": "Empty it.", "id": "R1"}]
    review = read({"number": 4, "title": "Tea", "reviews": reviews, "comments": []})
    assert [finding.title for finding in review.findings] == ["Empty it."] and review.form == "code review"


def discussion(number: int, *bodies: str, **parts: Any) -> dict[str, Any]:
    position = {"new_path": "tea.rb", "new_line": 7, "old_path": "old.rb", "old_line": None, "head_sha": "b" * 40}
    notes = [
        {"id": number * 10 + n, "body": body, "author": {"username": "eve"}, "system": False, "resolvable": True,
         "resolved": False, "position": position, **parts}
        for n, body in enumerate(bodies)
    ]  # fmt: skip
    return {"id": f"d{number}", "individual_note": False, "notes": notes}


def test_discussions_of_gitlab_are_read_with_their_place_and_resolution() -> None:
    review = read(
        [
            discussion(1, "Tap drips", "Will do", resolved=True, resolved_by={"username": "kim"}),
            discussion(2, "Lid is loose"),
            discussion(3, "added 1 commit", system=True),
            discussion(4, "How are you?", resolvable=False, position=None),
            discussion(5, "Gone", position={"old_path": "old.rb", "old_line": 2, "new_path": None, "new_line": None}),
        ]
    )
    assert (review.tool, review.metadata.base_commit) == ("gitlab", "b" * 40)
    assert [(f.title, f.status, f.files) for f in review.findings] == [
        ("Tap drips", "fixed", ("tea.rb:7",)),
        ("Lid is loose", "open", ("tea.rb:7",)),
        ("Gone", "open", ("old.rb:2",)),
    ]
    assert review.findings[0].status_reason == "the thread was resolved by kim"
    assert "eve: Will do" in review.findings[0].body
    assert [piece.reason for piece in review.left_out] == [
        "a note of the system's own",
        "a remark that nobody can resolve",
    ]


def test_remarks_on_a_pull_request_as_a_whole_are_left_out() -> None:
    review = read([{"id": 1, "issue_url": "u", "body": "When is this due?", "user": {"login": "ada"}}])
    assert review.findings == () and len(review.left_out) == 1
