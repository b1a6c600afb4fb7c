"""What the columns of a table, or the names in objects, mean: by their names, or by a mapping."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from reviews.importing.document import Block
from reviews.importing.recognisers.columns import meanings_of

# For each part of a finding the names by which tools call it, the surest first.
_NAMES: Final[dict[str, tuple[str, ...]]] = {
    part: tuple(names.split("|"))
    for part, names in {
        "title": "title|name|summary|headline|subject|short description|issue title|finding title|vulnerability name|"
        "issue|finding|problem|vulnerability|bug|message|issue text|extra message|message text|msg|check name|"
        "test name|rule name|description|extra message text",
        "severity": "severity|issue severity|extra severity|severity level|risk level|risk rating|level|priority|sev|"
        "criticality|risk",
        "score": "cvss|cvss score|cvss v3|cvssv3 score|cvss base score|base score|security severity",
        "status": "status|state|disposition|resolution|issue status",
        "status_reason": "status reason|justification|resolution reason|dismissed reason",
        "file": "file|path|file path|filename|file name|location path|location file|location|artifact|source file|"
        "affected file|component|resource",
        "line": "line|line number|start line|location line|location start line|start line number|line start|begin line|"
        "lineno|location lines begin|lines begin|beginline|row|start row",
        "line_end": "end line|line end|end line number|location end line|location lines end|lines end|endline|end row",
        "rule": "rule|rule id|check id|code|test id|ruleid|query id|plugin id|type id|check|rule name|check name",
        "ref": "ref|reference|id|key|number|finding id|issue id|no|#",
        "fingerprint": "fingerprint|unique id from tool|unique id|hash code|hash|guid|uuid|extra fingerprint",
        "category": "category|type|area|module|domain|group|issue type",
        "cwe": "cwe|cwe id|cwes|cwe ids|issue cwe id|issue cwe|extra metadata cwe|weakness",
        "fix": "fix|recommendation|remediation|solution|mitigation|suggested fix|recommended fix|extra fix",
        "ticket": "ticket|ticket key|jira|jira key|jira issue",
        "tool": "tool|tool name|scanner|engine|analyzer",
        "body": "description|details|detail|long description|full description|body|content|explanation|message|comment|"
        "notes|text|more info",
    }.items()
}
# Of a table of findings one sees its like; a list with a name and an id alone may be of anything.
TELLING: Final = frozenset({"severity", "score", "file", "line", "rule", "cwe", "status"})
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_JOINT: Final = re.compile(r"[\s_\-./]+")
_FOREIGN: Final = ("severity", "status", "file", "category", "ref", "fix", "title")


@lru_cache(maxsize=10_000)
def plain_name(name: str) -> str:
    """`filePath`, `file_path` and `File Path` are one name."""
    return _JOINT.sub(" ", _CAMEL.sub(" ", name.strip().strip("*`\"'"))).strip().lower()


def meanings(names: Sequence[str]) -> dict[str, str]:
    """For each part of a finding the name that holds it, whatever the order of the names.

    A name that says nothing to tools may be a word of people, in any of the languages that the markdown tables know.
    """
    plain: dict[str, str] = {}
    for name in sorted(names):
        plain.setdefault(plain_name(name), name)
    found: dict[str, str] = {}
    for part, known in _NAMES.items():
        taken = set(found.values())
        held = next((plain[one] for one in known if one in plain and plain[one] not in taken), None)
        if held is not None:
            found[part] = held
    known_names = set(found.values())
    free = [name for name in sorted(names) if name not in known_names]
    foreign = meanings_of(Block("table", 1, 1, header=tuple(free))) if free else {}
    for part in _FOREIGN:
        if part not in found and part in foreign and free[foreign[part]] not in found.values():
            found[part] = free[foreign[part]]
    return found


def tells_of_findings(parts: dict[str, str]) -> bool:
    """Whether a header names a title and something that only findings have."""
    return "title" in parts and bool(TELLING & set(parts))
