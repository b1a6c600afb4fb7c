"""What the file system says when there is no room, as the doors answer it."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from portal.core.lifecycle import Refused

_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
SENTENCE: Final = "Storage full: the files of this installation have no room left. An admin can make some."


class StorageFull(Refused):
    """There is no room for a file; nothing was stored."""

    status = 503


def is_full(problem: BaseException) -> bool:
    return isinstance(problem, OSError) and problem.errno in _NO_ROOM


@contextmanager
def with_room() -> Iterator[None]:
    """Raises ``StorageFull`` in place of the error of a full disk."""
    try:
        yield
    except OSError as problem:
        if is_full(problem):
            raise StorageFull(SENTENCE) from problem
        raise
