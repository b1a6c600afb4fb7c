"""What a document says, by its own word, as a review's page in the admin shows it."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html, format_html_join

from reviews.models import Review
from reviews.queries.reviews import totals

LINK: Final = "text-primary-600 dark:text-primary-500"
LINES_SHOWN: Final = 50
CHARACTERS_SHOWN: Final = 400
REJECTED_APART: Final = "The document rejects findings itself; without those, its totals are right."
# what is shown of a reading where it has any of it, by the part of it that says so
PARTS: Final = {
    "verdict": "verdict",
    "signal": "signal",
    "disagreements": "disagreements",
    "order": "fix_order",
    "evidence": "evidence",
    "modified": "files_modified",
    "references": "cross_references",
    "earlier": "earlier",
    "test_plans": "test_plans",
    "notes": "notes",
    "left_out": "left_out",
}


class Said:
    """Columns of a review that show what was read of its document."""

    def parts_of(self, review: Review) -> tuple[str, ...]:
        """The columns that have something to show."""
        reading = review.reading
        about = ("facts",) if any((reading.get("metadata") or {}).values()) else ()
        return (*about, "totals", *(name for name, part in PARTS.items() if reading.get(part)))

    @admin.display(description="About")
    def about(self, review: Review) -> str:
        ticket = review.subject_ticket
        if ticket is not None:
            where = reverse("admin:tickets_ticket_change", args=[ticket.pk])
            return format_html('<a class="{}" href="{}">{}</a> <bdi>{}</bdi>', LINK, where, ticket.key, ticket.title)
        key = (review.reading.get("metadata") or {}).get("ticket")
        return format_html("<bdi>{}</bdi> (this project has no such ticket)", key) if key else ""

    @admin.display(description="Of itself")
    def facts(self, review: Review) -> str:
        said = review.reading.get("metadata") or {}
        names = {"date": "Date", "reviewer": "Reviewer", "version": "Version", "base_commit": "Base commit"}
        return written([f"{label}: {said[name]}" for name, label in names.items() if said.get(name)])

    @admin.display(description="Stated and found")
    def totals(self, review: Review) -> str:
        found = totals(review.reading)
        wrong = bool(review.reading.get("disagreements"))
        rows = [
            (
                "all" if total.severity == "total" else total.severity,
                "-" if total.stated is None else total.stated,
                total.found,
                "differs" if total.difference and wrong else "",
            )
            for total in found
        ]
        said = format_html_join("", "<tr><th>{}</th><td>{}</td><td>{}</td><td>{}</td></tr>", rows)
        apart = format_html("<p>{}</p>", REJECTED_APART) if found.differ and not wrong else ""
        if not rows:
            return "Nothing was counted."
        return format_html(
            '<table class="totals"><thead><tr><th>Severity</th><th>Stated</th><th>Found</th><th>So</th></tr></thead>'
            "<tbody>{}</tbody></table>{}",
            said,
            apart,
        )

    @admin.display(description="Verdict")
    def verdict(self, review: Review) -> str:
        return str(review.reading.get("verdict") or "")

    @admin.display(description="Signal")
    def signal(self, review: Review) -> str:
        signal = review.reading.get("signal") or {}
        if not signal:
            return ""
        ticket = f" of {signal['ticket']}" if signal.get("ticket") else ""
        lines = [f"{signal['name']}{ticket}, line {signal['line']}. Nothing is done about it."]
        return written([*lines, *([signal["payload"]] if signal.get("payload") else [])])

    @admin.display(description="Totals disagree")
    def disagreements(self, review: Review) -> str:
        return _part(review, "disagreements", str)

    @admin.display(description="Order of fixing")
    def order(self, review: Review) -> str:
        def tier(one: dict[str, Any]) -> str:
            items = one.get("items") or one["refs"]
            more = f"; and {len(items) - LINES_SHOWN} more" if len(items) > LINES_SHOWN else ""
            return format_html(
                "<b>{}</b>: {}{}", one["label"], "; ".join(str(item)[:200] for item in items[:LINES_SHOWN]), more
            )

        return _part(review, "fix_order", tier)

    @admin.display(description="Evidence")
    def evidence(self, review: Review) -> str:
        def piece(one: dict[str, Any]) -> str:
            commits = "".join(f" Commit {commit}." for commit in (one.get("commits") or [])[:10])
            tests = f" {one['tests'][0]} of {one['tests'][1]} tests passed." if one.get("tests") else ""
            return f"Line {one['line']}: {_short(one['text'])}{commits}{tests}"

        return _part(review, "evidence", piece)

    @admin.display(description="Files modified")
    def modified(self, review: Review) -> str:
        return _part(
            review, "files_modified", lambda one: f"{one['path']}{': ' if one.get('note') else ''}{one.get('note', '')}"
        )

    @admin.display(description="References")
    def references(self, review: Review) -> str:
        return _part(
            review, "cross_references", lambda one: f"{one['source']} speaks of {one['target']} (line {one['line']})"
        )

    @admin.display(description="Of earlier versions")
    def earlier(self, review: Review) -> str:
        def before(one: dict[str, Any]) -> str:
            version = f"Version {one['version']}: " if one.get("version") else ""
            verified = " All verified, it says." if one.get("all_verified") else ""
            return f"{version}{_short(one['text'])}{verified}"

        return _part(review, "earlier", before)

    @admin.display(description="Test plans")
    def test_plans(self, review: Review) -> str:
        def plan(one: dict[str, Any]) -> str:
            of = f"{one['ref']}, " if one.get("ref") else ""
            where = f"{of}{_lines(one)}"
            return format_html(
                '<details><summary>{}</summary><p class="as-written">{}</p></details>', where, one["text"]
            )

        return _part(review, "test_plans", plan)

    @admin.display(description="How its bytes became text, and what was noted")
    def notes(self, review: Review) -> str:
        return _part(review, "notes", str)

    @admin.display(description="Left out, and why")
    def left_out(self, review: Review) -> str:
        return _part(review, "left_out", lambda one: f"{_lines(one)}, {_short(one['text'])}: {one['reason']}")


def _part(review: Review, name: str, say: Any) -> str:
    reading = review.reading
    rows = reading.get(name) or []
    more = int(reading.get(f"{name}_more") or 0) + max(0, len(rows) - LINES_SHOWN)
    return written([say(row) for row in rows[:LINES_SHOWN]], more)


def _lines(part: dict[str, Any]) -> str:
    first, last = part["line_start"], part.get("line_end")
    return f"line {first}" if last in {None, first} else f"lines {first} to {last}"


def _short(text: str) -> str:
    return text if len(text) <= CHARACTERS_SHOWN else f"{text[:CHARACTERS_SHOWN]}…"


def written(lines: list[Any], more: int = 0) -> str:
    """Lines as a list; ``more`` of them are not shown, which is said."""
    shown = format_html_join("", "<li><bdi>{}</bdi></li>", ((line,) for line in lines))
    tail = format_html("<li>… and {} more</li>", more) if more else ""
    return format_html('<ul class="said">{}{}</ul>', shown, tail) if shown else ""


def labelled(pairs: list[Any]) -> str:
    """Labels and what stands beside them, as a list of terms."""
    said = [(label, value) for label, value in pairs[:LINES_SHOWN] if str(value).strip()]
    rows = format_html_join("", '<dt>{}</dt><dd class="as-written"><bdi>{}</bdi></dd>', said)
    tail = format_html("<dd>… and {} more</dd>", len(pairs) - LINES_SHOWN) if len(pairs) > LINES_SHOWN else ""
    return format_html('<dl class="labelled">{}{}</dl>', rows, tail) if said else ""
