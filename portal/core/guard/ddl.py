"""Reading SQLite's own record of a table: the CREATE statement it keeps.

Its pragmas know neither CHECKs nor names of constraints. The statement is cut
into words, so that quoting, case and spaces do not count, and its items are
keyed by name, so that order does not count either.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from portal.core.guard.structure import Constraint, digest_of

_WORD: Final = re.compile(
    r"""(?P<space>\s+|--[^\n]*|/\*.*?\*/)
      | (?P<text>'(?:[^']|'')*')
      | (?P<quoted>"(?:[^"]|"")*"|\[[^\]]*\]|`[^`]*`)
      | (?P<bare>\w+(?:\.\w+)?)
      | (?P<sign><=|>=|<>|!=|==|\|\||<<|>>|->>|->|.)""",
    re.VERBOSE | re.DOTALL,
)
# Names that SQLite takes only in quotes; all other quotes are dropped.
_RESERVED: Final = frozenset(
    re.findall(
        r"\w+",
        """add all alter and as between by case check collate column commit constraint create default delete desc
        distinct drop else end escape exists foreign from group having if in index insert into is join key limit not
        null on or order primary references select set table then to transaction trigger union unique update using
        values when where""",
    )
)
_TABLE_ITEMS: Final = frozenset({"constraint", "primary", "unique", "check", "foreign"})
_CLAUSES: Final = frozenset(
    {"constraint", "primary", "not", "null", "unique", "check", "default", "collate", "references", "generated", "as"}
)


def words(sql: str) -> list[str]:
    """``sql`` as words: bare words in lower case, needless quotes gone, comments gone."""
    return list(_words(sql))


def _words(sql: str) -> Iterator[str]:
    for match in _WORD.finditer(sql):
        word = match.group()
        if match.lastgroup == "quoted":
            name = word[1:-1].replace('""', '"')
            yield f'"{name}"' if not re.fullmatch(r"\w+", name) or name.lower() in _RESERVED else name.lower()
        elif match.lastgroup == "bare":
            yield word.lower()
        elif match.lastgroup != "space":
            yield word


def sentence(parts: list[str]) -> str:
    """Words as one line, always spaced the same way."""
    line = " ".join(parts).replace(" . ", ".")
    return re.sub(r"\( ", "(", re.sub(r" (?=[),;])", "", line))


def canonical(sql: str) -> str:
    """A statement as one line that does not depend on how it was written."""
    return sentence(words(sql))


@dataclass(frozen=True, slots=True)
class Declared:
    """What a CREATE TABLE says beyond what the pragmas know."""

    options: str = ""
    constraints: dict[str, Constraint] = field(default_factory=dict)
    collations: dict[str, str] = field(default_factory=dict)
    generated: dict[str, str] = field(default_factory=dict)

    def constrain(self, name: str, definition: list[str]) -> None:
        """Add a constraint; one without a name is called after what it is."""
        said = sentence(definition)
        self.constraints[name or _name_for(said)] = Constraint(said)


def _name_for(definition: str) -> str:
    match = re.match(r"(primary key|unique|foreign key) (\([^)]*\))", definition)
    return f"{match[1]} {match[2]}" if match else f"check {digest_of(definition)}"


@functools.lru_cache(maxsize=512)
def declared(sql: str) -> Declared:
    """Read a CREATE TABLE statement as SQLite keeps it. Kept by its text: nobody changes what is returned."""
    parts = words(sql)
    items, end = _items(parts, parts.index("("))
    found = Declared(options=sentence(parts[end + 1 :]))
    for item in items:
        if item[0] in _TABLE_ITEMS:
            name, rest = (item[1], item[2:]) if item[0] == "constraint" else ("", item)
            found.constrain(name, rest)
        else:
            _read_column(found, item[0], _clauses(item[1:]))
    return found


def _items(parts: list[str], start: int) -> tuple[list[list[str]], int]:
    """The comma-separated items inside the bracket at ``start``, and where it closes."""
    items: list[list[str]] = [[]]
    depth = 1
    for position in range(start + 1, len(parts)):
        word = parts[position]
        depth += {"(": 1, ")": -1}.get(word, 0)
        if depth == 0:
            return items, position
        if word == "," and depth == 1:
            items.append([])
        else:
            items[-1].append(word)
    raise ValueError(f"unclosed bracket in {sentence(parts)[:80]}")


def _clauses(parts: list[str]) -> list[list[str]]:
    """A column's words after its name, cut where a clause begins; the first piece is the type."""
    pieces: list[list[str]] = [[]]
    depth = 0
    for position, word in enumerate(parts):
        if depth == 0 and word in _CLAUSES and not _continues(pieces[-1], word, parts[position + 1 : position + 2]):
            pieces.append([])
        pieces[-1].append(word)
        depth += {"(": 1, ")": -1}.get(word, 0)
    return pieces


def _continues(piece: list[str], word: str, following: list[str]) -> bool:
    """Whether ``word`` goes on with ``piece`` although it could begin a clause."""
    before = piece[-1] if piece else ""
    if word == "null":
        return before in {"not", "set", "default"}
    if word == "default":
        return before == "set"
    if word == "not":
        return following == ["deferrable"]
    return word == "as" and before == "always"


def _read_column(found: Declared, column: str, pieces: list[list[str]]) -> None:
    name = ""
    for piece in pieces[1:]:
        match piece[0]:
            case "constraint":
                name = piece[1]
                continue
            case "primary" | "unique":
                width = 2 if piece[0] == "primary" else 1
                found.constrain(name, [*piece[:width], "(", column, ")", *piece[width:]])
            case "check":
                found.constrain(name, piece)
            case "references":
                found.constrain(name, ["foreign", "key", "(", column, ")", *piece])
            case "collate":
                found.collations[column] = piece[1]
            case "generated" | "as":
                found.generated[column] = sentence(piece[piece.index("as") + 1 :])
        name = ""
