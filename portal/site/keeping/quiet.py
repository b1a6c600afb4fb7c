"""Whether anybody of this installation is at work."""

from __future__ import annotations

from django.conf import settings

from portal.core import limits
from portal.core.clock import Wall
from portal.site.launching import doors
from portal.site.launching.lock import Held, Lock
from workers.models import Worker

_NAMED = 3


def at_work() -> str:
    """Who could write now, in one sentence; empty where nobody could.

    A worker that was lost counts until its lease is over: by then it has stopped itself.
    """
    seen = Worker.objects.filter(state=Worker.State.ALIVE, seen_at__gte=Wall(-limits.value("LEASE_SECONDS")))
    names = list(seen.order_by("name").values_list("name", flat=True)[: _NAMED + 1])
    if names:
        more = " and more" if len(names) > _NAMED else ""
        return f"At work, or lost within the last lease: {', '.join(names[:_NAMED])}{more}."
    if doors.http_status(settings.HOST, settings.PORT, "/livez", doors.host_header(settings.BASE_URL)):
        return f"Web answers at {settings.HOST}:{settings.PORT}."
    return ""


def served() -> str:
    """The process that runs ``up`` on this data folder, in one sentence; empty where none does."""
    lock = Lock(settings.DATA_DIR / "run" / "up.lock")
    lock.path.parent.mkdir(mode=0o700, exist_ok=True)
    try:
        lock.take()
    except Held as held:
        return f"{settings.DATA_DIR} is served by process {held.pid or '(unknown)'}."
    lock.release()
    return ""
