"""A full disk: the job waits and is charged nothing, however it was met."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Any

import pytest

from workers import queue, room
from workers.failures import JobFailed
from workers.models import Attempt, Job, JobState, Outcome

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def raising(error: Exception, cause: Exception | None) -> Callable[[Any], None]:
    def raise_it(_: Any) -> None:
        raise error from cause

    return raise_it


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("error", "cause"), [(FULL, None), (JobFailed("No child."), FULL), (room.NoRoom("git"), None)])
def test_a_job_that_met_it_waits_and_has_all_its_budgets(
    kind: Callable[..., str], drain: Callable[..., int], limit: Any, error: Exception, cause: Exception | None
) -> None:
    limit(JOB_MAX_FAILURES=1)
    kind(run=raising(error, cause))
    queue.enqueue("test.job")
    assert drain() == 1
    attempt = Attempt.objects.get()
    assert attempt.outcome == Outcome.PARKED and "disk of this worker's machine is full" in attempt.error
    assert Job.objects.get().state == JobState.QUEUED


@pytest.mark.once
@pytest.mark.parametrize(
    ("said", "full"),
    [
        ("error: unable to write file: No space left on device\nfatal: failed", True),
        (f"the spool could not be written: {os.strerror(errno.ENOSPC)}", True),
        (f"fatal: write error: {os.strerror(errno.EDQUOT)}", True),
        ("remote: fatal: write error: No space left on device\nerror: failed to push", False),
        ("fatal: 'No space left on device.txt' did not match any files", False),
        ("", False),
    ],
)
def test_it_is_read_in_what_a_program_of_this_machine_says(said: str, full: bool) -> None:
    assert room.is_said(said) is full


@pytest.mark.once
def test_work_begins_where_enough_is_free(settings: Any, tmp_path: Any) -> None:
    settings.DATA_DIR = tmp_path
    settings.LIMITS = {**settings.LIMITS, "DISK_LEAST_BYTES": 1}
    room.check()
    settings.LIMITS = {**settings.LIMITS, "DISK_LEAST_BYTES": 10**18}
    with pytest.raises(room.NoRoom, match="bytes are free, and work begins with 1,000"):
        room.check()
