"""The access walk: every address, API operation and stream, as everybody from nobody to an admin.

What a rule says is what the answer is, at every door; what declares no rule
fails. The table of all answers is left in ``test-results/access-<engine>.txt``.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import connection, reset_queries, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from portal.core import access, tokens
from portal.core.access import Audience, Operation, Role, Rule, within
from portal.live import streams
from portal.mcp.offered import TOOLS
from tests.walking import objects
from tests.walking.objects import Objects
from tests.walking.routes import Route, all_routes

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.timeout(600),
    pytest.mark.once,
    pytest.mark.usefixtures("unwatched"),
]
RESULTS = Path(__file__).resolve().parent.parent / "test-results"
BACKEND = "allauth.account.auth_backends.AuthenticationBackend"
PEOPLE = ("anonymous", "outsider", "stranger", "staff", "viewer", "operator", "reviewer", "releaser", "owner", "admin")
STRANGERS = {"outsider", "stranger", "staff"}
# The administration knows no roles of projects: the lowest and the highest stand for those between.
BEFORE_THE_ADMIN = ("anonymous", "stranger", "staff", "viewer", "owner", "admin")

# Pages of one's own account: whoever is signed in acts on nobody but themselves.
OWN = {"site.theme", "accounts.account_email", "notifications.read_all", "findings.save_filter"}
# Pages that are a project's owner's, whatever their address declares: it names the project as a parameter.
PROJECT_OF_THE_ADDRESS = {"deployments.new_service": Role.OWNER, "deployments.new_environment": Role.OWNER}
# Pages whose form takes no project: anybody who is signed in may begin one, and owns it then.
OPEN_TO_ALL = {"projects.new"}
# Pages that act on each thing by the right in its own project, and name those for which it was missing.
EACH_BY_ITS_OWN = {"jobs.requeue_all", "jobs.cancel_all", "findings.answer", "findings.all_answers"}
# Pages that read what they are sent and store nothing.
STORING_NOTHING = {"reviews.preview"}
# The library answers by the state of the account (no second step set up): its refusal is not about a right.
BY_ACCOUNT = re.compile(r"accounts\.(mfa_|account_(re|set_|change_)).*")

# What the pages with a chosen project make.
COUNTED = (
    "tickets_ticket",
    "reviews_review",
    "reviews_council",
    "deployments_deployment",
    "deployments_service",
    "deployments_environment",
)
Answer = tuple[int, str]


class Walker:
    """Asks as somebody, and leaves the world as it was."""

    def __init__(self, found: Objects) -> None:
        self.objects = found
        self.cookies: dict[str, str] = {}
        self.tokens: dict[str, str] = {}
        for name, user in found.people.items():
            if user is not None:
                client = Client()
                client.force_login(user, BACKEND)
                self.cookies[name] = client.cookies[settings.SESSION_COOKIE_NAME].value
                self.tokens[name] = tokens.issue(user, name="walk", days=1, may_write=True)[1]
        # The first page of a session writes when it began.
        for name in self.cookies:
            self.ask(name, "GET", "/livez", keep=True)

    def client(self, who: str, **options: Any) -> Client:
        client = Client(raise_request_exception=False, **options)
        if who in self.cookies:
            client.cookies = SimpleCookie({settings.SESSION_COOKIE_NAME: self.cookies[who]})
        return client

    def ask(self, who: str, method: str, address: str, *, keep: bool = False, **options: Any) -> Answer:
        with _as_it_was(keep):
            client = self.client(who, **options)
            answer = client.generic(method, address, content_type="application/x-www-form-urlencoded")
            _to_its_end(answer)
            return answer.status_code, answer.headers.get("Location", "")

    def call(self, who: str, method: str, address: str, body: Any, *, by_token: bool = True) -> Answer:
        """An operation of the API: with a token, or with a session, which opens nothing there."""
        headers = {"Authorization": f"Bearer {self.tokens[who]}"} if by_token and who in self.tokens else {}
        with _as_it_was(False):
            content = "" if body is None else json.dumps(body)
            client = Client(raise_request_exception=False) if by_token else self.client(who)
            answer = client.generic(method, address, content, content_type="application/json", headers=headers)
            _to_its_end(answer)
            return answer.status_code, ""


def _to_its_end(answer: Any) -> None:
    """A file that is sent is closed when it was read to its end."""
    if answer.streaming:
        assert b"".join(answer.streaming_content) is not None


@contextmanager
def _as_it_was(keep: bool) -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(not keep)


@pytest.fixture
def walker(db: None, settings: Any) -> Walker:
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)
    return Walker(objects.build())


def expected(rule: Rule, who: str) -> str:
    """``in``, ``hidden`` (404), ``forbidden`` (403) or ``sign in``."""
    if rule.audience is Audience.PUBLIC:
        return "in"
    if who == "anonymous":
        return "sign in"
    if rule.audience is Audience.OWN:
        return "in" if who == objects.TOLD else "hidden"
    if rule.audience is Audience.SIGNED_IN or who == "admin":
        return "in"
    if rule.audience is Audience.ADMIN:
        return "forbidden"
    if who in STRANGERS:
        return "hidden"
    assert rule.role is not None
    return "in" if Role[who.upper()] >= rule.role else "forbidden"


def agrees(answer: Answer, wanted: str) -> bool:
    status, location = answer
    to_login = status in {302, 401} and (status == 401 or "/accounts/login/" in location)
    return {
        "in": status < 500 and status not in {401, 403, 404, 405} and not to_login,
        "hidden": status == 404,
        "forbidden": status == 403,
        "sign in": to_login,
    }[wanted]


def lines(table: dict[str, dict[str, Answer]]) -> list[str]:
    width = max(map(len, table))
    said = [f"{'':{width}}  " + "  ".join(f"{who:>9}" for who in PEOPLE)]
    for name in sorted(table):
        cells = (str(table[name][who][0]) if who in table[name] else "-" for who in PEOPLE)
        said.append(f"{name:{width}}  " + "  ".join(f"{cell:>9}" for cell in cells))
    return said


def leave(section: str, table: dict[str, dict[str, Answer]], engine: str) -> None:
    """One part of the table; parts of the same run stand under each other."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"access-{engine}.txt"
    marks = "pages", "admin", "api", "streams"
    kept = dict(re.findall(r"^== (\w+)\n(.*?)\n(?=== |\Z)", path.read_text() if path.exists() else "", re.S | re.M))
    kept[section] = "\n".join(lines(table))
    path.write_text("".join(f"== {mark}\n{kept[mark]}\n" for mark in marks if mark in kept), encoding="utf-8")


def of_door(door: str) -> list[Route]:
    return [route for route in all_routes() if route.door == door]


class TestDeclarations:
    def test_every_address_declares_its_rule(self) -> None:
        assert [route.path for route in all_routes() if route.operation is None] == []

    def test_every_declared_operation_is_behind_a_door_that_the_walk_passes(self) -> None:
        walked = {route.operation.name for route in all_routes() if route.operation}
        walked |= {f"stream.{kind.prefix}" for kind in streams.kinds()}
        walked |= {tool.operation.name for tool in TOOLS.values()}
        assert {operation.name for operation in access.operations()} - walked == set()

    def test_only_the_api_is_exempt_from_the_csrf_check(self) -> None:
        exempt = {route.path for route in all_routes() if getattr(route.callback, "csrf_exempt", False)}
        assert exempt == {route.path for route in of_door("api") if route.name != "api-root"}

    def test_an_address_that_names_a_thing_has_the_rule_of_its_scope(self) -> None:
        """To be signed in is no right to somebody's ticket."""
        lax = [
            route.path
            for route in [*of_door("page"), *of_door("api")]
            if route.parameters and route.operation and not route.path.startswith("accounts/")
            if route.operation.rule.audience not in {Audience.SCOPE, Audience.OWN, Audience.ADMIN}
        ]
        assert lax == []

    def test_a_viewer_views(self) -> None:
        """What changes something in a project takes more than the least role."""
        changing = [
            route.path
            for route in [*of_door("page"), *of_door("api")]
            if set(route.methods) - {"GET"} and route.operation and route.operation.rule.role is Role.VIEWER
        ]
        assert changing == []

    def test_the_walk_knows_a_value_for_every_parameter(self, walker: Walker) -> None:
        for route in all_routes():
            assert route.address(walker.objects.of(route.path)), route.path

    def test_every_form_that_anybody_may_open_is_accounted_for(self, walker: Walker) -> None:
        """A page for whoever is signed in that takes a POST says whose things it changes."""
        taking = {
            route.operation.name
            for route in of_door("page")
            if route.operation and route.operation.rule == access.SIGNED_IN and "POST" in route.methods
        }
        known = set(walker.objects.chosen) | OWN | OPEN_TO_ALL | STORING_NOTHING | EACH_BY_ITS_OWN
        assert {name for name in taking - known if not BY_ACCOUNT.fullmatch(name)} == set()


class TestPages:
    def test_each_answers_each_person_as_its_rule_says(self, walker: Walker, engine: str) -> None:
        table: dict[str, dict[str, Answer]] = {}
        wrong: list[str] = []
        for route in of_door("page"):
            assert route.operation is not None
            address, operation = route.address(walker.objects.of(route.path)), route.operation
            if operation.name in PROJECT_OF_THE_ADDRESS:
                address += f"?project={walker.objects.world.mc.key}"
                operation = replace(operation, rule=within(PROJECT_OF_THE_ADDRESS[operation.name]))
            for method in route.methods:
                row = table.setdefault(f"{operation.name} {method}", {})
                for who in PEOPLE:
                    row[who] = walker.ask(who, method, address)
                    if not self.as_declared(operation, who, row[who]):
                        wrong.append(f"{method} {address} ({operation.rule}) as {who}: {row[who]}")
        leave("pages", table, engine)
        assert not wrong, "\n" + "\n".join(wrong)

    def as_declared(self, operation: Operation, who: str, answer: Answer) -> bool:
        wanted = expected(operation.rule, who)
        if operation.rule.audience is Audience.PUBLIC:
            return answer[0] < 500
        if wanted == "in" and BY_ACCOUNT.fullmatch(operation.name):
            return answer[0] < 500 and "/accounts/login/" not in answer[1]
        return agrees(answer, wanted)

    def test_what_is_hidden_is_answered_as_what_is_missing(self, walker: Walker) -> None:
        for route in of_door("page"):
            if route.operation and route.operation.rule.audience in {Audience.SCOPE, Audience.OWN}:
                for method in route.methods:
                    here, nowhere = (
                        _shown(walker.client("stranger").generic(method, route.address(values)))
                        for values in (walker.objects.of(route.path), walker.objects.missing(route.path))
                    )
                    assert here == nowhere, route.path

    def test_a_page_that_changes_something_is_not_reached_by_get(self, walker: Walker) -> None:
        for route in of_door("page"):
            if "GET" not in route.methods:
                address = route.address(walker.objects.of(route.path))
                for method in ("GET", "HEAD", "PUT", "DELETE"):
                    assert walker.ask("admin", method, address)[0] == 405, (method, address)

    def test_a_form_goes_through_for_the_role_and_for_no_other(self, walker: Walker) -> None:
        """Where the project is chosen on the page, the role in that project decides."""
        addresses = {route.operation.name: route for route in of_door("page") if route.operation}
        # The way is free: the deployment of the world has ended.
        type(walker.objects.deployment).objects.update(state="failed")
        for name, (role, form) in walker.objects.chosen.items():
            address = addresses[name].address(walker.objects.of(addresses[name].path)) + self.query(walker, form)
            for who in PEOPLE[1:]:
                before = _domain_rows()
                with transaction.atomic():
                    answer = walker.client(who).post(address, form)
                    made = _domain_rows() - before
                    transaction.set_rollback(True)
                may = who == "admin" or (who not in STRANGERS and Role[who.upper()] >= role)
                assert bool(made) is may, (name, who, answer.status_code)

    def test_no_page_and_no_form_starts_a_program(self, walker: Walker, monkeypatch: pytest.MonkeyPatch) -> None:
        """What takes a while is a job: whoever asks waits for a row, and never for git or for a command."""
        started: list[Any] = []

        def refuse(*given: Any, **options: Any) -> None:
            started.append(given)
            raise OSError("A page starts no program.")

        monkeypatch.setattr(subprocess, "Popen", refuse)
        addresses = {route.operation.name: route for route in of_door("page") if route.operation}
        for route in addresses.values():
            for method in route.methods:
                walker.ask("admin", method, route.address(walker.objects.of(route.path)))
        type(walker.objects.deployment).objects.update(state="failed")
        for name, (_, form) in walker.objects.chosen.items():
            address = addresses[name].address(walker.objects.of(addresses[name].path)) + self.query(walker, form)
            with _as_it_was(False):
                walker.client("admin").post(address, form)
        assert started == []

    def query(self, walker: Walker, form: dict[str, Any]) -> str:
        """Some of these pages take their project from the address."""
        return "" if "project" in form else f"?project={walker.objects.world.mc.key}"


def _shown(answer: Any) -> tuple[int, str]:
    """An error page without what is of this request: its id, its time, its address."""
    text = answer.content.decode()
    text = text.replace(answer.get("X-Request-Id", "-"), "").replace(answer.wsgi_request.path, "")
    return answer.status_code, re.sub(r"\d{2}:\d{2}(:\d{2})?|csrf\w*\" value=\"\w+\"|nonce=\"[^\"]+\"", "", text)


def _domain_rows() -> int:
    with connection.cursor() as cursor:
        total = 0
        for table in COUNTED:
            cursor.execute(f"SELECT count(*) FROM {table}")
            total += cursor.fetchone()[0]
        return total


class TestReading:
    WRITE = re.compile(r'^\s*(?:WITH\b.*?)?(INSERT|UPDATE|DELETE)\s+(?:INTO\s+|FROM\s+)?"?(\w+)', re.I | re.S)

    def test_a_get_changes_nothing(self, walker: Walker) -> None:
        """Neither on a page nor in the admin, whoever asks; a session may note that it was used."""
        wrong: list[str] = []
        for route in [*of_door("page"), *of_door("admin")]:
            if "GET" not in route.methods or route.name in {"account_logout", "logout"}:
                continue
            address = route.address(walker.objects.of(route.path))
            for who in ("anonymous", "viewer", "admin"):
                # The log of a connection is bounded: what others asked is not wanted in it.
                reset_queries()
                with CaptureQueriesContext(connection) as said:
                    walker.ask(who, "GET", address)
                written = {found[2] for query in said if (found := self.WRITE.match(query["sql"]))}
                if written - {"django_session"}:
                    wrong.append(f"GET {address} as {who} writes {written}")
        assert not wrong, "\n" + "\n".join(wrong)


class TestForgery:
    def test_a_post_without_a_token_is_403_everywhere_but_at_the_api(self, walker: Walker) -> None:
        for route in [*of_door("page"), *of_door("admin")]:
            address = route.address(walker.objects.of(route.path))
            for who in ("owner", "admin"):
                status, _ = walker.ask(who, "POST", address, enforce_csrf_checks=True)
                assert status == 403, (address, who, status)

    def test_a_session_opens_no_operation_of_the_api(self, walker: Walker) -> None:
        for route in of_door("api"):
            if route.operation and route.operation.rule.audience is not Audience.PUBLIC:
                address = route.address(walker.objects.of(route.path))
                for method in route.methods:
                    body = walker.objects.bodies.get(route.operation.name)
                    assert walker.call("admin", method, address, body, by_token=False)[0] == 401, address


class TestAdmin:
    def test_none_but_admins_are_let_in(self, walker: Walker, engine: str) -> None:
        table: dict[str, dict[str, Answer]] = {}
        wrong: list[str] = []
        for route in of_door("admin"):
            for method in ("GET", "POST"):
                address = route.address(walker.objects.of(route.path))
                row = table.setdefault(f"{route.path.removeprefix('admin/') or 'index'} {method}", {})
                for who in BEFORE_THE_ADMIN:
                    row[who] = walker.ask(who, method, address)
                    if not self.as_declared(route, who, row[who]):
                        wrong.append(f"{method} {address} as {who}: {row[who]}")
        leave("admin", table, engine)
        assert not wrong, "\n" + "\n".join(wrong)

    def as_declared(self, route: Route, who: str, answer: Answer) -> bool:
        status, location = answer
        if who == "admin" or route.name in {"login", "logout"}:
            return status < 500
        if route.name == "jsi18n":
            # Words of the interface, and nothing of the database.
            return status in {200, 302, 403, 405}
        return status in {401, 403, 404, 405} or (status == 302 and "login" in location)


class TestApi:
    def test_each_operation_answers_each_person_as_its_rule_says(self, walker: Walker, engine: str) -> None:
        table: dict[str, dict[str, Answer]] = {}
        wrong: list[str] = []
        for route in of_door("api"):
            assert route.operation is not None
            for method in route.methods:
                body = None if method == "GET" else walker.objects.bodies[route.operation.name]
                address = route.address(walker.objects.of(route.path))
                row = table.setdefault(f"{route.operation.name} {method}", {})
                for who in PEOPLE:
                    row[who] = walker.call(who, method, address, body)
                    wanted = "hidden" if route.name == "api-root" else expected(route.operation.rule, who)
                    if not agrees(row[who], wanted):
                        wrong.append(f"{method} {address} ({route.operation.rule}) as {who}: {row[who]}")
        leave("api", table, engine)
        assert not wrong, "\n" + "\n".join(wrong)


class TestStreams:
    def test_each_stream_admits_whom_its_rule_says(self, walker: Walker, engine: str) -> None:
        table: dict[str, dict[str, Answer]] = {}
        wrong: list[str] = []
        for kind in streams.kinds():
            name = walker.objects.streams[kind.prefix]
            row = table.setdefault(f"stream.{kind.prefix}", {})
            for who, user in walker.objects.people.items():
                admitted = streams.admit(fresh(user), name) is not None
                row[who] = (200 if admitted else 404, "")
                if admitted is not (expected(kind.rule, who) == "in"):
                    wrong.append(f"{name} ({kind.rule}) as {who}: {admitted}")
        leave("streams", table, engine)
        assert not wrong, "\n" + "\n".join(wrong)

    def test_a_stream_of_nothing_admits_nobody(self, walker: Walker) -> None:
        for kind in streams.kinds():
            if kind.rule.audience in {Audience.SCOPE, Audience.OWN}:
                for who, user in walker.objects.people.items():
                    for rest in ("999999999", "NO-1", "0", "-1", "x", ""):
                        assert streams.admit(fresh(user), f"{kind.prefix}:{rest}") is None, (kind.prefix, rest, who)


def fresh(user: Any) -> Any:
    """The person with their roles read anew, as another process would."""
    return AnonymousUser() if user is None else type(user).objects.get(pk=user.pk)


def test_the_walk_would_notice(walker: Walker) -> None:
    """An address without a rule, and an answer against its rule, are seen by what the tests above ask."""
    view: Callable[..., Any] = lambda request: None  # noqa: E731
    assert Route("x/", "x", view, getattr(view, "operation", None), ("GET",)).operation is None
    assert not agrees((200, ""), "hidden")
    assert not agrees((302, "/elsewhere/"), "sign in")
    assert not agrees((404, ""), "in")
    assert not agrees((403, ""), "hidden")
