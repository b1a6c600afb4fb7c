"""What the frame of every page shows. Its numbers cost one query, and only where the frame is drawn."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from portal.core import guard
from portal.core.access import is_admin
from portal.core.guard import override
from portal.site import health
from portal.site.tallies import numbers


class Place(NamedTuple):
    """An entry of the side navigation; ``key`` goes there after ``g``."""

    url: str
    icon: str
    word: str
    key: str = ""


WORK: Final = (
    Place("/", "inbox", "Needs me", "n"),
    Place("/tickets/", "ticket", "Tickets", "t"),
    Place("/reviews/", "doc", "Reviews", "r"),
    Place("/findings/", "important", "Findings", "f"),
    Place("/deployments/", "ship", "Deployments", "d"),
    Place("/deployments/environments/", "grid", "Environments", "e"),
    Place("/workers/", "worker", "Workers and jobs", "w"),
    Place("/activity/", "clock", "Activity", "h"),
)
EVIDENCE: Final = (Place("/evidence/", "confirmed", "Evidence chains", "c"),)
SAVED_VIEWS: Final = (Place("/evidence/?standing=present", "filter", "Fixed, not live"),)
INSTALLATION: Final = (
    Place("/projects/", "box", "Projects", "p"),
    Place("/status/", "pulse", "Status", "s"),
)
ADMINISTRATION: Final = (
    Place("/backups/", "copy", "Backups", "b"),
    Place("/schema/", "db", "Schema guard", "g"),
    Place("/admin/", "gear", "Administration", "a"),
)


def frame(request: HttpRequest) -> dict[str, Any]:
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {"theme": "system"}
    administers = is_admin(user)
    counted = SimpleLazyObject(lambda: numbers(user))
    installation = INSTALLATION + (ADMINISTRATION if administers else ())
    return {
        "theme": user.theme,
        "tallies": SimpleLazyObject(lambda: counted.tallies),
        "bell": SimpleLazyObject(lambda: counted.bell),
        "schema_standing": _standing(),
        "version": health.release(),
        "navigation": (
            ("", WORK),
            ("Evidence", EVIDENCE),
            ("Saved views", SAVED_VIEWS),
            ("Installation", installation),
        ),
        "place": _place(request.path, WORK + EVIDENCE + installation),
        "schema_banner": _banner(),
        "administers": administers,
    }


def _standing() -> str:
    """How the schema stood when this process was asked last; empty where that is long ago."""
    report = health.Standing.recent()
    if report is None or report.answer is guard.Answer.DOWN:
        return ""
    return "matches" if report.answer is guard.Answer.START else "differs"


def _banner() -> str:
    """What every page says of the schema: an override that holds, or a database that is ahead."""
    set_override = override.from_settings()
    if set_override and set_override.holds:
        return f"The schema guard is overridden: {set_override}."
    report = health.Standing.report
    return report.sentence if report and report.answer is guard.Answer.BANNER else ""


def _place(path: str, places: tuple[Place, ...]) -> str:
    """The entry that ``path`` lies under: the longest that fits."""
    fitting = [place.url for place in places if path == place.url or (place.url != "/" and path.startswith(place.url))]
    return max(fitting, key=len, default="")
