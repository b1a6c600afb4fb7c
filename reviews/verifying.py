"""A document says that a check was run: the portal runs it itself, where an owner has allowed its command.

The document is anybody's word, so nothing of it runs by itself. An owner reads
the exact command and allows it for the project; another text, by one letter,
is another command. Then a person has it run at a commit that the repository
has, in a worktree that goes with it, as the project's own checks are run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from portal.core import cause, limits
from portal.core.clock import Wall
from portal.core.lifecycle import Refused
from portal.core.models import User
from portal.core.quoting import plain
from portal.core.unit import current, unit_of_work
from reviews import check_commands
from reviews.models import AllowedCommand, Check, Review, ReviewState, Verification, VerificationState
from reviews.transitions import REVIEW, VERIFICATION
from tickets import checks, clones, git, ground
from tickets.models import CheckRun, Project
from workers import queue, room
from workers.claims import Claim
from workers.failures import BadInput
from workers.kinds import Ending

VERIFY_KIND: Final = "review.verify"
# Of what has been read and stands; a plan that was put aside is nobody's word any more.
RUNNABLE: Final = frozenset({ReviewState.PLANNED, ReviewState.APPLIED})
AT_ONCE: Final = 50
_HEX: Final = re.compile(r"[0-9a-f]{7,64}")


class Ran(NamedTuple):
    """What a run came to, and the commit that it was at."""

    commit: str
    run: CheckRun


# What an owner allows ------------------------------------------------------------


def allow(check: Check, *, command: str, allowed: bool, by: User) -> bool:
    """Allow the command of a check for its project, or take that back; whether that changed anything.

    ``command`` is what the person has read: raises ``Refused`` where the check's is another by now, or none.
    """
    own, project = check_commands.of_check(check), check.review.series.project
    if not own:
        raise Refused(f"Check {check.n} names no command that can be run without a shell, so there is none to allow.")
    if command != own:
        raise Refused("The check’s command is not the one that you read: look again, then decide.")
    with unit_of_work() as work:
        if allowed:
            label = cause.current().actor.label[:254]
            _, changed = AllowedCommand.objects.get_or_create(project=project, command=own, defaults={"by": label})
        else:
            changed = bool(AllowedCommand.objects.filter(project=project, command=own).delete()[0])
        if changed:
            verb = "command_allowed" if allowed else "command_forbidden"
            work.record(f"project.{verb}", project.scope, after={"command": own, "review": check.review.subject})
            REVIEW.announce(check.review)
    return changed


def allowed_of(project: Project, commands: Iterable[str]) -> dict[str, AllowedCommand]:
    rows = AllowedCommand.objects.filter(project=project, command__in=set(commands))
    return {row.command: row for row in rows}


# What a person has run -------------------------------------------------------------


def ask(check: Check, *, at: str, by: User) -> Verification:
    """Have one check run at a branch, tag or commit; empty: the target branch. Raises ``Refused``."""
    command = check_commands.of_check(check)
    _refuse(check.review)
    if not command:
        raise Refused(f"Check {check.n} names no command that can be run without a shell.")
    if not allowed_of(check.review.series.project, [command]):
        raise Refused(
            f"An owner of the project has to allow “{plain(command)}” first: it is the document’s word alone."
        )
    with unit_of_work():
        return _ask(check, command, at, by)


def ask_all(review: Review, *, at: str, by: User) -> list[Verification]:
    """Have each check run whose command is allowed, once a command. Raises ``Refused`` where there is none."""
    _refuse(review)
    named = {command: check for check in review.checks.order_by("-n") if (command := check_commands.of_check(check))}
    allowed = allowed_of(review.series.project, named)
    chosen = [(check, command) for command, check in reversed(named.items()) if command in allowed]
    if not chosen:
        raise Refused("No command of its checks is allowed yet: an owner of the project allows each by itself.")
    if len(chosen) > AT_ONCE:
        raise Refused(f"{len(chosen)} checks are more than the {AT_ONCE} that are run at once: run them one by one.")
    with unit_of_work():
        return [_ask(check, command, at, by) for check, command in chosen]


def _refuse(review: Review) -> None:
    if review.state not in RUNNABLE:
        raise Refused(f"{review} is {review.state}: checks are run of reviews that are planned or applied.")
    if not review.series.project.repository:
        raise Refused(f"{review.series.project.key} names no repository, so there is no commit to run a check at.")


def _ask(check: Check, command: str, at: str, by: User) -> Verification:
    review = check.review
    # The same check at the same place, still on its way, is the same run.
    waiting = Verification.objects.filter(review=review, command=command, asked=at, state=VerificationState.ASKED)
    if found := waiting.first():
        return found
    row = Verification.objects.create(
        review=review,
        name=check.name,
        command=command,
        asked=at,
        state=VerificationState.ASKED,
        asked_by=by,
        asked_label=cause.current().actor.label[:254],
    )
    after = {"command": command, "at": at or "the target branch"}
    current().record("verification.asked", row.subject, after=after, scope=review.series.project.scope)
    VERIFICATION.announce(row)
    queue.enqueue(
        VERIFY_KIND,
        subject=review.subject,
        payload={"verification": row.pk},
        unique_key=row.subject,
        lane=f"verify:{review.series.project_id}",
        audience=review.series.project.scope,
    )
    return row


# The job -------------------------------------------------------------------------------


def run(claim: Claim) -> Ran | None:
    """The handler of kind "review.verify"; what it found is kept when it ends."""
    row = _waiting(claim.payload["verification"])
    if row is None:
        return None
    project = row.review.series.project
    if not allowed_of(project, [row.command]):
        raise BadInput(f"“{plain(row.command)}” is not allowed any more, so it was not run.")
    room.check()
    ground.clear()
    fetched = clones.fetched(project)
    commit = _commit(project, fetched, row.asked)
    with ground.ground(fetched.path) as worktree:
        seconds = limits.value("CLONE_SECONDS")
        git.git(worktree, "checkout", "--quiet", "--detach", commit, seconds=seconds)
        return Ran(commit, checks.run_one(claim, project, check_commands.words(row.command), worktree))


def _commit(project: Project, fetched: clones.Fetched, asked: str) -> str:
    """The commit of a branch, tag or name of the repository. What an agent alone has, in the clone, is not run."""
    if not asked:
        return fetched.commit
    found = clones.named(project, asked)
    if not found and _HEX.fullmatch(asked):
        output = git.run(fetched.path, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{asked}^{{commit}}")
        found = output.text.strip() if output.code == 0 else ""
    holding = ("--count=1", "--contains", found, "refs/remotes/origin", "refs/tags")
    if not found or not git.run(fetched.path, "for-each-ref", *holding).text.strip():
        raise BadInput(f"The repository of {project.key} has no branch, tag or commit {plain(asked)}.")
    return found


def settle(ending: Ending) -> None:
    row = _waiting(ending.payload["verification"])
    if row is None:
        return
    if isinstance(ending.result, Ran):
        found = ending.result.run
        VERIFICATION.move(
            row,
            "end",
            reason=checks.told(found)[:500],
            commit=ending.result.commit,
            outcome=found.outcome,
            exit_code=found.exit_code,
            seconds=found.seconds,
            summary=found.summary,
            output=found.output,
            ended_at=Wall(),
        )
    elif ending.final and ending.error:
        error = (ending.error.strip().splitlines() or ["It did not come to its end."])[-1][:500]
        VERIFICATION.move(row, "fail", reason=error, error=error, ended_at=Wall())


def requeued(subject: str, payload: dict[str, Any]) -> None:
    rows = Verification.objects.select_related("review__series__project").defer("review__content", "review__read_text")
    row = rows.filter(pk=payload["verification"], state=VerificationState.FAILED).first()
    if row is not None:
        VERIFICATION.move(row, "ask_again", error="", ended_at=None)


def page_of(subject: str) -> str:
    return f"/reviews/{subject.partition(':')[2]}/#checks"


def _waiting(pk: int) -> Verification | None:
    rows = Verification.objects.select_related("review__series__project").defer("review__content", "review__read_text")
    return rows.filter(pk=pk, state=VerificationState.ASKED).first()
