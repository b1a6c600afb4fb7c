"""A ticket's worktree: made once, kept across its turns, on the host that made it."""

from __future__ import annotations

import socket
from pathlib import Path

from django.conf import settings

from tickets import git
from tickets.models import Ticket, Workspace
from workers.claims import Claim
from workers.failures import BadInput, JobFailed


def prepare(claim: Claim, ticket: Ticket) -> Workspace:
    """The ticket's workspace, made where there is none.

    The claim holds the ticket's one slot, so nobody else makes it meanwhile;
    a worktree that an attempt left behind half-made is taken over.
    """
    found = Workspace.objects.filter(ticket=ticket).first()
    if found:
        if found.host != socket.gethostname():
            raise JobFailed(
                f"The workspace of {ticket.key} is on {found.host}; this worker is on {socket.gethostname()}."
            )
        if Path(found.path).is_dir():
            return found
    repository = Path(ticket.project.repository)
    if not repository.is_dir():
        raise BadInput(
            f"The repository {repository} of project {ticket.project.key} is not there on this worker's machine."
        )
    base = git.head(repository)
    branch = f"shiproom/{ticket.key.lower()}"
    path: Path = settings.DATA_DIR / "workspaces" / ticket.key
    if not path.is_dir():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        git.git(repository, "worktree", "prune")
        git.git(repository, "worktree", "add", "-B", branch, str(path), base)
    with claim.fenced():
        made, _ = Workspace.objects.update_or_create(
            ticket=ticket,
            defaults={"host": socket.gethostname(), "path": str(path), "branch": branch, "base_commit": base},
        )
    return made
