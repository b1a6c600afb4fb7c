"""The links of a chain, one after the other: what each joins, how well that is known, by what, and its record."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from deployments.chain_answers import MISSING, NOT_LIVE, Answer, on_its_way
from deployments.chain_facts import Known
from deployments.models import Release
from portal.core.models import Activity
from reviews.models import Edge, Evidence, Finding, Occurrence
from reviews.standing import COMMIT_SHOWN
from tickets.models import Turn

RELEASES_READ: Final = 50
STATED: Final = "stated"


@dataclass(frozen=True, slots=True)
class ChainLink:
    """One step of the chain. ``proof`` is stated, claimed, measured, confirmed or missing."""

    kind: str
    icon: str
    name: str
    # what the step is, under its name
    under: str
    proof: str
    sentence: str
    by: str = ""
    at: datetime | None = None
    url: str = ""
    record: str = ""

    @property
    def tone(self) -> str:
        return {"claimed": "warn", "measured": "run", "confirmed": "good"}.get(self.proof, "")


def near(known: Known) -> list[ChainLink]:
    return [_stated(known.finding), _ticket(known.finding), _turn(known), _commit(known), *_releases(known)]


def _stated(finding: Finding) -> ChainLink:
    rows = Occurrence.objects.filter(finding=finding).select_related("review__series")
    said = rows.defer("review__content", "review__reading").order_by("-review__number", "-pk").first()
    named = finding.reference or f"Finding {finding.pk}"
    if said is None:
        return ChainLink("Finding", "doc", named, "Finding", STATED, f"{named} is not spoken of by any review now")
    where = f"line {said.line_start}" + (f" to {said.line_end}" if said.line_end != said.line_start else "")
    return ChainLink(
        "Finding",
        "doc",
        named,
        "Finding",
        STATED,
        f"{said.review} states it",
        f"the document, {where}",
        said.review.uploaded_at,
        f"{said.review.get_absolute_url()}#finding-{finding.pk}",
        f"{said.review}",
    )


def _ticket(finding: Finding) -> ChainLink:
    ticket = finding.ticket
    if ticket is None:
        return ChainLink("Ticket", "ticket", "none yet", "Ticket", MISSING, "It has no ticket", "Make one of it.")
    made = Activity.objects.filter(subject=finding.subject, verb="finding.ticketed").order_by("-pk").first()
    sentence = f"{ticket.key} is its ticket"
    url = ticket.get_absolute_url()
    if made is None:
        by = "the document names it"
        return ChainLink("Ticket", "ticket", ticket.key, "Ticket", "claimed", sentence, by, None, url, ticket.key)
    proof = "confirmed" if made.actor_kind in {"user", "token"} else "measured"
    by = f"{made.actor_label} made it one"
    return ChainLink("Ticket", "ticket", ticket.key, "Ticket", proof, sentence, by, made.at, url, ticket.key)


def _turn(known: Known) -> ChainLink:
    row = known.newest(Edge.TURN)
    if row is None:
        return ChainLink("Turn", "agent", "none yet", "Turn", MISSING, "No turn says that it is done")
    key, _, seq = row.ref.rpartition("/")
    return ChainLink(
        "Turn",
        "agent",
        f"Turn {seq}",
        _agent(key, seq) or row.by,
        row.strength,
        f"{key} was worked in turn {seq}",
        f"{row.by}: {row.detail}",
        row.at,
        f"/tickets/{key}/",
        f"turn {seq} of {key}",
    )


def _agent(key: str, seq: str) -> str:
    """Who worked, whoever says how well."""
    rows = Turn.objects.filter(ticket__key=key, seq=int(seq) if seq.isdecimal() else 0)
    return rows.values_list("agent_version__agent__name", flat=True).first() or ""


def _commit(known: Known) -> ChainLink:
    row = known.newest(Edge.COMMIT)
    if row is None:
        return ChainLink("Commit", "commit", "none yet", "Commit", MISSING, "No accepted commit holds a fix")
    short = row.ref[:COMMIT_SHOWN]
    ticket = known.finding.ticket
    return ChainLink(
        "Commit",
        "commit",
        short,
        "Commit",
        row.strength,
        f"{short} of the target branch holds the fix",
        f"{row.by}: {row.detail}",
        row.at,
        f"{ticket.get_absolute_url()}diff/" if ticket else "",
        "the change" if ticket else "",
    )


def _releases(known: Known) -> list[ChainLink]:
    """Those that brought it somewhere; where none did, the newest that holds it."""
    rows = [row for row in reversed(known.rows) if row.edge == Edge.RELEASE]
    newest = list(
        Release.objects.filter(service__project=known.project).select_related("service").order_by("-pk")[:RELEASES_READ]
    )
    urls = {str(release): release.get_absolute_url() for release in newest}
    if rows:
        return [_release(row.ref, row.strength, row.detail, row.at, urls.get(row.ref, "")) for row in rows]
    found = next((release for release in newest if known.holds(release)), None)
    if found is None:
        return [ChainLink("Release", "box", "none yet", "Release", MISSING, "No release holds the commit")]
    by = f"{found.short} holds the commit of its fix; it stands nowhere."
    return [_release(str(found), "measured", by, found.made_at, found.get_absolute_url())]


def _release(name: str, proof: str, by: str, at: datetime | None, url: str) -> ChainLink:
    record = name if url else ""
    return ChainLink("Release", "box", name, "Release", proof, f"{name} holds the commit", by, at, url, record)


# Where it stands ----------------------------------------------------------------


def of_answer(known: Known, answer: Answer) -> list[ChainLink]:
    """The links of one place: what brought it there, and what the service itself says."""
    if answer.word == NOT_LIVE:
        way = answer.waiting
        by = f"{answer.sentence} {on_its_way(way)}".strip()
        url = f"{way.get_absolute_url()}#gate" if way else ""
        sentence = f"{answer.place} answers with it"
        record = "see its gate" if way else ""
        return [ChainLink("Health", "pulse", "not yet", answer.place, MISSING, sentence, by, None, url, record)]
    return [_there(answer, row) for row in answer.edges]


def _there(answer: Answer, row: Evidence) -> ChainLink:
    brought = row.edge == Edge.DEPLOYMENT
    return ChainLink(
        "Deployment" if brought else "Health",
        "ship" if brought else "pulse",
        answer.environment,
        f"Deployment {row.ref}",
        row.strength,
        f"{answer.place} {'has' if brought else 'answers with'} it",
        row.detail,
        row.at,
        f"/deployments/{row.ref}/",
        f"deployment {row.ref}",
    )
