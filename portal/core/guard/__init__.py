"""The schema guard: no process runs on a database that its code does not expect.

``stand_guard`` is called by worker and beat, ``guard_command`` by every command
line, ``refusal.Guarded`` wraps the web application; ``standing`` tells pages.
"""

from portal.core.guard.answer import Answer, Report, look
from portal.core.guard.commands import guard_command
from portal.core.guard.entrances import remember, stand_guard, standing

__all__ = ["Answer", "Report", "guard_command", "look", "remember", "stand_guard", "standing"]
