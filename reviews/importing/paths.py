"""References to files, as written, with the lines the author gives. They are text: nothing here opens a path."""

from __future__ import annotations

import re
from collections.abc import Iterator

MAX_PATH_TEXT = 6_000
MAX_PATHS = 40

_EXTENSIONS = (
    "py|pyi|js|jsx|ts|tsx|mjs|cjs|mts|vue|svelte|go|rs|java|kt|kts|scala|rb|php|cs|fs|vb|c|h|cc|cpp|cxx|"
    "hpp|hh|m|mm|swift|"
    "sol|vy|sql|sh|bash|zsh|ps1|bat|yml|yaml|toml|json|jsonl|json5|xml|html|htm|css|scss|sass|less|md|"
    "mdx|rst|txt|ini|cfg|conf|"
    "env|lock|tf|tfvars|proto|graphql|gql|prisma|ex|exs|erl|hs|lua|dart|r|jl|pl|gradle|properties|plist|"
    "entitlements|csproj|"
    "sln|razor|cshtml|dockerfile|mk|cmake|wgsl|glsl|hlsl|template|service|csv|ipynb|neon|xaml|storyboard|"
    "cairo|move|zig|nim|"
    "tpl|j2|jinja|hbs|ejs|pug|astro|feature|spec|snap|cu|asm|s|wat|db|sqlite|log|example|bats"
)
_LINE_WORD = (
    r"(?:lines?|L|ln|zeilen?|lignes?|l[ií]neas?|linhas?|rig(?:a|he)|regels?|rad(?:er)?|lini[aei]|linij\w*|wiersz\w*|"
    r"строк\w*|стр\.?|рядк\w*|рядок|第|行)"
)
_NUMBERS = r"~?L?\d+(?:\s*(?:[-–—,、/]|and|und|et|y|e|en|och|i|и|та|to)\s*~?L?\d+)*"
_LINES = (
    r"(?:"
    r"[:#：]~?L?\d+(?:\s*[-–—,、]\s*~?L?\d+)*(?:,\.\.\.)?"
    rf"|`?,?\s*[(（\[]\s*(?:at\s+)?(?:[~约]\s*)?{_LINE_WORD}\s*[:：]?\s*~?\d[^()（）\[\]\n]{{0,60}}[)）\]]"
    rf"|`?[,，、]?\s*(?:at\s+|on\s+)?{_LINE_WORD}\s*[:：]?\s*{_NUMBERS}(?:\s*行)?"
    rf"|`?[,，、]?\s*[约第]?\s*{_NUMBERS}\s*(?:行|줄)"
    r"|`?\s*[(（]\s*~?\d+(?:\s*[-–,]\s*\d+)*\s*[)）]"
    r")"
)
_LINE_FIRST = re.compile(
    rf"(?<!\w){_LINE_WORD}\s*(?P<lines>{_NUMBERS})\s*(?:[,:–—-]|in|of|im?n|de|da|du|di|dans|en|em|van|av|i|w|"
    rf"в)\s+(?:file\s+)?$",
    re.IGNORECASE,
)
_LINK_TO_CODE = re.compile(r"https?://[^\s<>()|\]\"'`]{1,160}/(?:blob|tree|-/blob|src)/[^\s<>()|\]\"'`]{1,400}")
_TICKED = re.compile(rf"`([^`\n]{{2,200}})`(?P<after>{_LINES})?", re.IGNORECASE)
_BARE = re.compile(
    rf"(?<![\w/@.:-])(?P<path>(?:[\w@.+\-\[\]*]+/){{0,20}}[\w@.+\-\[\]*]*\.(?:{_EXTENSIONS}))(?![\w/(]|\.\w)(?P<after>{_LINES})?",
    re.IGNORECASE,
)
_INSIDE = re.compile(
    r"^(?P<path>\.?[\w@.+~$()\[\]{}*/\\-]+?)(?P<after>(?:[:#]~?L?\d[\d,\s–.~L-]*)?)(?:::?[A-Za-z_][\w.:]*(?:\(\))?)?$"
)
_KNOWN_EXTENSION = re.compile(rf"\.(?:{_EXTENSIONS})$", re.IGNORECASE)
_BARE_NAMES = re.compile(
    r"^(?:.*/)?(?:Dockerfile|Makefile|Procfile|Gemfile|Rakefile|Jenkinsfile|Vagrantfile|\.[a-z][\w.-]+)$"
)
_ROUTE = re.compile(r"^/?(?:api|v\d|auth|admin|users?|ws)(?:/|$)|[{}<>]|://|\s")


def paths_in(text: str, *, labelled: bool) -> tuple[str, ...]:
    """The file references of a text; a labelled field may name folders and files without a known extension."""
    found: dict[str, None] = {}
    clipped = text[:MAX_PATH_TEXT]
    for path in _candidates(clipped, labelled):
        found.setdefault(path)
        if len(found) >= MAX_PATHS:
            break
    return tuple(found)


def code_links(text: str) -> tuple[str, ...]:
    """The addresses in a text that lead to a file of a repository."""
    found = (match[0].rstrip(".,;:*_") for match in _LINK_TO_CODE.finditer(text[:MAX_PATH_TEXT]))
    return tuple(dict.fromkeys(found))[:MAX_PATHS]


def _candidates(text: str, labelled: bool) -> Iterator[str]:
    rest: list[str] = []
    last = 0
    yield from code_links(text)
    text = _LINK_TO_CODE.sub(" ", text)
    for match in _TICKED.finditer(text):
        inside = _INSIDE.match(match[1].strip())
        if inside and _is_path(inside["path"], labelled):
            rest.append(text[last : match.start()])
            after = inside["after"].rstrip(" ,") + _after(match["after"])
            yield inside["path"] + (after or _before(text, match.start()))
            last = match.end()
    rest.append(text[last:])
    bare = " ".join(rest)
    for match in _BARE.finditer(bare):
        path = match["path"].strip("*[]")
        if re.search(r"[A-Za-z]", path.rsplit(".", 1)[0]) and not re.fullmatch(
            r"(?:e\.g|i\.e|Node\.js|node\.js)", path
        ):
            yield path + (_after(match["after"]) or _before(bare, match.start("path")))


def _is_path(path: str, labelled: bool) -> bool:
    if _ROUTE.search(path) or path.startswith("-") or path.endswith("()"):
        return False
    end = path.rpartition(".")[2]
    # `threading.Lock` is a name in a program.
    if not (end.islower() or end.isupper() or "/" in path) and re.fullmatch(r"[a-z_.]+\.[A-Z][a-z]+", path):
        return False
    if _KNOWN_EXTENSION.search(path) or _BARE_NAMES.match(path):
        return True
    if labelled and ("/" in path or re.fullmatch(r"[\w@+.-]{1,60}\.[a-z][a-z0-9]{0,9}", path)):
        return bool(re.search(r"[A-Za-z]{2}", path))
    return "/" in path.strip("/") and path.endswith("/")


def _before(text: str, at: int) -> str:
    """The lines that are named before their file: `lines 3-9 in a.py`."""
    match = _LINE_FIRST.search(text[max(at - 60, 0) : at])
    return f":{match['lines']}" if match else ""


def _after(after: str | None) -> str:
    if not after:
        return ""
    clean = after.strip("`, ，、\t")
    if not clean.startswith(("(", "（", "[", ":", "#")) and not re.match(
        r"(?:at |on )?(?:lines?|L)\b", clean, re.IGNORECASE
    ):
        return ":" + re.sub(r"^[^\d~]+|\D+$", "", clean)
    return clean if clean.startswith((":", "#")) else f" {clean}"
