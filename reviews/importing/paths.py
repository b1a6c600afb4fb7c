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
_LINES = (
    r"(?:"
    r"[:#]~?L?\d+(?:\s*[-–,]\s*~?L?\d+)*(?:,\.\.\.)?"
    r"|`?,?\s*\(\s*(?:at\s+)?(?:~\s*)?(?:lines?|L|zeilen?|строк[аи]|rader?)\s*~?\d[^()\n]{0,60}\)"
    r"|`?,?\s*(?:at\s+|on\s+)?lines?\s*~?\d+(?:\s*(?:[-–,]|and|to)\s*~?\d+)*"
    r"|`?\s*\(\s*~?\d+(?:\s*[-–,]\s*\d+)*\s*\)"
    r")"
)
_TICKED = re.compile(rf"`([^`\n]{{2,200}})`(?P<after>{_LINES})?", re.IGNORECASE)
_BARE = re.compile(
    rf"(?<![\w/@.:-])(?P<path>(?:[\w@.+\-\[\]*]+/){{0,20}}[\w@.+\-\[\]*]*\.(?:{_EXTENSIONS}))(?![\w/(])(?P<after>{_LINES})?",
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


def _candidates(text: str, labelled: bool) -> Iterator[str]:
    rest: list[str] = []
    last = 0
    for match in _TICKED.finditer(text):
        inside = _INSIDE.match(match[1].strip())
        if inside and _is_path(inside["path"], labelled):
            rest.append(text[last : match.start()])
            last = match.end()
            yield inside["path"] + inside["after"].rstrip(" ,") + _after(match["after"])
    rest.append(text[last:])
    for match in _BARE.finditer(" ".join(rest)):
        path = match["path"].strip("*[]")
        if re.search(r"[A-Za-z]", path.rsplit(".", 1)[0]) and not re.fullmatch(
            r"(?:e\.g|i\.e|Node\.js|node\.js)", path
        ):
            yield path + _after(match["after"])


def _is_path(path: str, labelled: bool) -> bool:
    if _ROUTE.search(path) or path.startswith("-") or path.endswith("()"):
        return False
    if _KNOWN_EXTENSION.search(path) or _BARE_NAMES.match(path):
        return True
    if "/" in path and labelled:
        return bool(re.search(r"[A-Za-z]{2}", path))
    return "/" in path.strip("/") and path.endswith("/")


def _after(after: str | None) -> str:
    if not after:
        return ""
    clean = after.strip("`, \t")
    return clean if clean.startswith((":", "#")) else f" {clean}"
