"""`manage.py import_review FILE --project MC --series NAME`: a review document, from a shell."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.core import bulk, cause, limits
from portal.core.lifecycle import Refused
from portal.core.quoting import plain
from reviews import answers, applying, documents, mappings
from reviews.importing import BadInput as BadColumns
from reviews.models import Finding, FindingState, ImportRow, Review, ReviewState
from tickets.models import Project
from workers.failures import BadInput

WIDTH = 100


class Command(BaseCommand):
    help = "Upload a review document. A worker reads it and leaves its plan; with --now it is read here."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument("--project", required=True, metavar="KEY")
        parser.add_argument("--series", required=True, metavar="NAME", help="what is reviewed again and again")
        parser.add_argument(
            "--columns", type=Path, metavar="FILE", help="how its columns are read, as the upload page takes it"
        )
        parser.add_argument("--now", action="store_true", help="read it in this process and print its plan")
        parser.add_argument("--apply", action="store_true", help="apply the plan too (reads it now)")
        parser.add_argument(
            "--tickets",
            choices=("each", "together"),
            help="make tickets of its open findings too: one each, or one for all (applies the plan)",
        )
        parser.add_argument(
            "--rest",
            choices=("not-assessed", "still"),
            help="what became of the open findings of which the document does not speak: silence closes none",
        )
        parser.add_argument(
            "--closing-meant", action="store_true", help="apply it though it closes a large share of the open findings"
        )
        parser.add_argument("--no-document-keys", action="store_true", help="tickets take numbers of their own")

    def handle(self, *args: Any, **options: Any) -> None:
        with cause.acting(cause.Actor("command", "import_review", "manage.py import_review")):
            try:
                self._import(options)
            except (BadInput, BadColumns, Refused) as refusal:
                raise CommandError(str(refusal), returncode=2) from refusal

    def _import(self, options: dict[str, Any]) -> None:
        project, series = _project(options["project"]), _series(options["series"])
        content = _content(options["file"])
        mapping = mappings.read(_content(options["columns"]).decode("utf-8", "replace")) if options["columns"] else None
        review, made = documents.receive(
            project, series_name=series, content=content, file_name=options["file"].name, mapping=mapping
        )
        self.stdout.write(f"{review} is {'received' if made else f'known already: it is {review.state}'}.")
        applies = options["apply"] or bool(options["tickets"])
        if review.state == ReviewState.RECEIVED and (options["now"] or applies):
            documents.read_now(review)
        elif review.state == ReviewState.RECEIVED:
            self.stdout.write("A worker reads it; --now reads it here.")
            return
        self._print(review)
        if applies and review.state == ReviewState.PLANNED:
            done = applying.apply(
                review,
                document_keys=not options["no_document_keys"],
                rest=(options["rest"] or "").replace("-", "_"),
                closing_meant=options["closing_meant"],
            )
            said = ", ".join(f"{number} {name}" for name, number in done._asdict().items())
            self.stdout.write(f"Applied: {said}.")
        if options["tickets"]:
            self._tickets(review, together=options["tickets"] == "together")

    def _print(self, review: Review) -> None:
        """The plan as a table."""
        for row in ImportRow.objects.filter(review=review).order_by("n").iterator(500):
            name = row.item.get("ticket_key") or row.item.get("ref") or ""
            title = row.item.get("title") or row.identity
            line = f"{row.n:>5}  {row.action:<7} {row.item.get('severity') or '':<8}  {name:<10}  {plain(title)}"
            self.stdout.write(line[:WIDTH].rstrip())
            self.stdout.write(f"{'':7}{plain(row.reason)}")
        for sentence in [*(review.reading.get("disagreements") or []), *(review.reading.get("unlike_plan") or [])]:
            self.stdout.write(f"Note: {plain(sentence)}")

    def _tickets(self, review: Review, *, together: bool) -> None:
        findings = Finding.objects.filter(occurrences__review=review, state=FindingState.OPEN, ticket=None)
        if together:
            made = answers.make_tickets(findings, together=f"Findings of {review}")
        else:
            some = bulk.chunks(list(findings.order_by("pk")), limits.value("MAKE_TICKETS_ROWS"))
            made = [ticket for chunk in some for ticket in answers.make_tickets(chunk)]
        names = ", ".join(ticket.key for ticket in made)
        self.stdout.write(f"Tickets: {names}." if made else "Tickets: nothing new.")


def _project(key: str) -> Project:
    found = Project.objects.filter(key=key).first()
    if found is None:
        raise Refused(f"There is no project {plain(key)}.")
    return found


def _series(name: str) -> str:
    series = plain(name)
    if not 0 < len(series) <= 200:
        raise Refused("A series has a name of 1 to 200 characters.")
    return series


def _content(file: Path) -> bytes:
    most = limits.value("DOCUMENT_MAX_BYTES")
    try:
        with file.open("rb") as opened:
            content = opened.read(most + 1)
    except OSError as error:
        raise Refused(f"{file} cannot be read: {error.strerror}.") from error
    if not content:
        raise Refused(f"{file} is empty: it has 0 bytes.")
    if len(content) > most:
        raise Refused(f"{file} has more than {most} bytes (DOCUMENT_MAX_BYTES).")
    return content
