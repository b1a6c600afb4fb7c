"""Every address of the URL configuration, with what it declares."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

from portal.core.access import ADMIN, PUBLIC, Operation

# The root of the API names no operation: ninja's view there is a 404, whoever asks.
API_ROOT = Operation("api.root", "api", PUBLIC)


@dataclass(frozen=True)
class Route:
    """One operation at one address."""

    path: str
    name: str
    callback: Callable[..., Any]
    operation: Operation | None
    methods: tuple[str, ...]

    @property
    def door(self) -> str:
        return "admin" if self.path.startswith("admin/") else "api" if self.path.startswith("api/") else "page"

    @property
    def parameters(self) -> list[str]:
        return re.findall(r"<(?:\w+:)?(\w+)>", self.path)

    def address(self, values: Mapping[str, object]) -> str:
        """The address with its parameters filled in; a parameter without a value is a mistake of the walk."""
        text = re.sub(r"\\(.)", r"\1", self.path)
        # First the named groups of regular expressions, as far as this project and its libraries have them.
        text = re.sub(r"\(\?P(<\w+>)[^)]*\)", r"\1", text.replace("^", "").replace("$", ""))
        return "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda found: str(values[found[1]]), text)


def all_routes() -> list[Route]:
    """Each once: ninja lists an address for every method that it has."""
    found = _routes(get_resolver().url_patterns, "")
    return list({(route.path, route.operation, route.methods): route for route in found}.values())


def _routes(patterns: Sequence[URLPattern | URLResolver], prefix: str) -> Iterator[Route]:
    for entry in patterns:
        path = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from _routes(entry.url_patterns, path)
        elif path.startswith("api/v1/"):
            yield from _api(entry, path)
        elif path.startswith("admin/"):
            yield Route(
                path,
                entry.name or "",
                entry.callback,
                Operation(f"admin.{entry.name}", "admin", ADMIN),
                ("GET", "POST"),
            )
        else:
            operation = getattr(entry.callback, "operation", None)
            methods = getattr(entry.callback, "methods", ("GET", "POST"))
            yield Route(path, entry.name or "", entry.callback, operation, methods)


def _api(entry: URLPattern, path: str) -> Iterator[Route]:
    """ninja has one view for all methods of an address."""
    if entry.name == "api-root":
        yield Route(path, "api-root", entry.callback, API_ROOT, ("GET",))
        return
    for operation in inspect.getclosurevars(entry.callback).nonlocals["self"].operations:
        declared = getattr(operation.view_func, "operation", None)
        yield Route(path, entry.name or "", entry.callback, declared, tuple(operation.methods))
