"""Where a pull request is opened, at hosts whose addresses are known. None of them is asked anything."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, urlencode

from tickets.addresses import address_of

_PATH: Final = re.compile(r"[\w.~-]+(?:/[\w.~-]+)+", re.ASCII)
_COMPARING: Final = ("github", "gitea", "forgejo", "codeberg")


def proposal_url(repository: str, *, branch: str, target: str) -> str:
    """The page that compares ``branch`` with ``target``; empty where the host is none that is known."""
    address = address_of(repository)
    if address is None or address.protocol not in {"ssh", "https"}:
        return ""
    path = _path(repository)
    if not _PATH.fullmatch(path):
        return ""
    top = f"https://{address.host if address.protocol == 'ssh' else address.place}/{path}"
    if "gitlab" in address.host:
        asked = {"merge_request[source_branch]": branch, "merge_request[target_branch]": target}
        return f"{top}/-/merge_requests/new?{urlencode(asked)}"
    if any(name in address.host for name in _COMPARING):
        return f"{top}/compare/{quote(target, safe='/')}...{quote(branch, safe='/')}"
    return ""


def _path(repository: str) -> str:
    _, separator, rest = repository.partition("://")
    path = rest.partition("/")[2] if separator else repository.partition(":")[2]
    return path.strip("/").removesuffix(".git")
