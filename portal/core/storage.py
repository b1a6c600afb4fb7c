"""A disk without room, as the doors tell it. Nothing of Django is needed here: the first door knows none."""

from __future__ import annotations

import errno
from typing import Final

_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
FULL: Final = "Storage full: the files of this installation have no room left. An admin can make some."


def is_full(problem: BaseException) -> bool:
    return isinstance(problem, OSError) and problem.errno in _NO_ROOM
