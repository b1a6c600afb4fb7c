"""Every form of every page, as a browser would find it, and what a browser would send of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin

# in the names of the hidden row that a script copies for another one: nobody types there
PATTERN = "__prefix__"
TYPED = {"text", "search", "email", "url", "number", "textarea"}


@dataclass(frozen=True)
class Found:
    """One form. ``fields`` are name and value as they would be sent; ``typed`` are the names of those to write in."""

    action: str
    fields: tuple[tuple[str, str], ...] = ()
    typed: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    @property
    def likeness(self) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
        """Forms of one likeness are one entrance."""
        return self.action, self.typed, self.files

    def sent(self, **changed: str) -> dict[str, list[str]]:
        values: dict[str, list[str]] = {}
        for name, value in self.fields:
            values.setdefault(name, []).append(value)
        return values | {name: [value] for name, value in changed.items()}


@dataclass
class _Open:
    """A form while it is read."""

    id: str
    action: str
    method: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    typed: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)


class Forms(HTMLParser):
    """The forms of a page that send, in its order; a button outside its form is found by the id that it names."""

    def __init__(self, address: str, page: str) -> None:
        super().__init__()
        self._address, self._forms, self._within = address, list[_Open](), list[_Open]()
        self._select: tuple[_Open, str, list[tuple[str, bool]], bool] | None = None
        self._text: tuple[_Open, str, list[str]] | None = None
        self.feed(page)
        self.close()

    def found(self) -> list[Found]:
        return [
            Found(form.action, tuple(form.fields), tuple(form.typed), tuple(form.files))
            for form in self._forms
            if form.method == "post"
        ]

    def _of(self, given: dict[str, str]) -> _Open | None:
        named = given.get("form")
        if named:
            return next((form for form in self._forms if form.id == named), None)
        return self._within[-1] if self._within else None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            action = urljoin(self._address, given.get("action", "")).partition("#")[0]
            opened = _Open(given.get("id", ""), action, given.get("method", "get").lower())
            self._forms.append(opened)
            self._within.append(opened)
        elif tag == "option" and self._select:
            self._select[2].append((given.get("value", ""), "selected" in given))
        elif (form := self._of(given)) is not None and given.get("name") and "disabled" not in given:
            self._control(tag, given, form)

    def _control(self, tag: str, given: dict[str, str], form: _Open) -> None:
        name, kind = given["name"], given.get("type", "text" if tag == "input" else tag)
        if tag == "textarea":
            self._text = form, name, []
        elif tag == "select":
            self._select = form, name, [], "multiple" in given
        elif tag == "button":
            # The first that would send is the one that is pressed.
            if given.get("type", "submit") == "submit" and name not in dict(form.fields):
                form.fields.append((name, given.get("value", "")))
        elif kind == "file":
            form.files.append(name)
        elif tag == "input" and kind not in {"submit", "image", "button"}:
            if kind in {"checkbox", "radio"} and "checked" not in given:
                return
            form.fields.append((name, given.get("value", "on" if kind == "checkbox" else "")))
            if kind in TYPED and name not in form.typed and PATTERN not in name:
                form.typed.append(name)

    def handle_data(self, data: str) -> None:
        if self._text:
            self._text[2].append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form" and self._within:
            self._within.pop()
        elif tag == "textarea" and self._text:
            form, name, said = self._text
            form.fields.append((name, "".join(said).removeprefix("\n")))
            if PATTERN not in name:
                form.typed.append(name)
            self._text = None
        elif tag == "select" and self._select:
            form, name, options, several = self._select
            chosen = [value for value, selected in options if selected]
            if not chosen and not several:
                # A list that starts empty: the first that names something, as a person would choose.
                chosen = [value for value, _ in options if value][:1]
            form.fields += [(name, value) for value in chosen]
            self._select = None


def of_page(address: str, answer: Any) -> list[Found]:
    """The forms of an answer that is a page; none of one that is a file or a redirect."""
    if answer.status_code >= 300 or answer.streaming or "text/html" not in answer.get("Content-Type", ""):
        return []
    here = address.partition("?")[0]
    return [replace(form, action=form.action or here) for form in Forms(address, answer.content.decode()).found()]
