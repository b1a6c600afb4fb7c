"""Every page in a real Chromium: light, dark and on a phone; no violation of WCAG 2.2 AA, nothing on the console.

With ``PICTURES=1`` a picture of each lies in ``test-results/screens`` afterwards, for people to look at.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from django.urls import Resolver404, resolve

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

    from tests.engines.stack import Stack
    from tests.factories import World

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.slow, pytest.mark.once]

PICTURES: Final = os.environ.get("PICTURES") == "1"
SCREENS: Final = Path(__file__).resolve().parents[2] / "test-results" / "screens"
# Every rule is run; what passes it is counted, and not described element by element.
AXE: Final = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]},
    "resultTypes": ["violations"],
}
# In the dark the same elements have other colours: what else there is to say of them was said in the light.
AXE_COLOURS: Final = {
    "runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]},
    "resultTypes": ["violations"],
}
LOOKS: Final = (("light", 1280), ("dark", 1280), ("light", 390))
PAGES: Final = {
    "needs-me": "/",
    "notifications": "/notifications/",
    "activity": "/activity/",
    "activity-none": "/activity/?q=nothing&since=yesterday",
    "workers": "/workers/",
    "workers-dead": "/workers/?state=dead",
    "workers-none": "/workers/?state=queued&before=1",
    "workers-filtered": "/workers/?state=lost&q=line&age=1d&agent=nobody",
    "jobs-requeue-all": "/workers/requeue/?state=dead",
    "queue-pause": "/workers/queues/pool:short/pause/",
    "job": "/workers/jobs/3/",
    "job-queued": "/workers/jobs/1/",
    "job-dead": "/workers/jobs/4/",
    "status": "/status/",
    "backups": "/backups/",
    "schema": "/schema/",
    "tickets": "/tickets/",
    "ticket": "/tickets/MC-1/",
    "ticket-talk": "/tickets/MC-3/",
    "ticket-measured": "/tickets/MC-6/",
    "ticket-sent-back": "/tickets/MC-4/",
    "ticket-running": "/tickets/MC-103/",
    "ticket-diff": "/tickets/MC-6/diff/",
    "ticket-edit": "/tickets/MC-3/edit/",
    "ticket-new": "/tickets/new/",
    "tickets-filtered": "/tickets/?state=open&q=agent:agent-0+ticket",
    "tickets-board": "/tickets/board/",
    "tickets-none": "/tickets/?q=nothing&who=nobody",
    "ticket-files": "/tickets/MC-1/files/",
    "ticket-file-remove": "/tickets/MC-1/files/1/remove/",
    "ticket-file-gone": "/tickets/MC-1/files/1/",
    "projects": "/projects/",
    "reviews": "/reviews/",
    "review": "/reviews/1/",
    "councils": "/reviews/councils/",
    "council": "/reviews/councils/1/",
    "council-new": "/reviews/councils/new/",
    "findings": "/findings/?state=open&rule=none",
    "findings-all": "/findings/all/",
    "findings-trends": "/findings/trends/",
    "deployments": "/deployments/",
    "deployment": "/deployments/1/",
    "project": "/projects/MC/",
    "project-decisions": "/projects/MC/decisions/",
    "project-new": "/projects/new/",
    "deployment-new": "/deployments/new/",
    "deployment-council": "/deployments/1/council/",
    "service-new": "/deployments/services/new/?project=MC",
    "environment-new": "/deployments/environments/new/?project=MC",
    "environments": "/deployments/environments/",
    "service": "/deployments/services/1/",
    "service-pipeline": "/deployments/services/1/pipeline/",
    "environment": "/deployments/environments/1/",
    "environment-edit": "/deployments/environments/1/edit/",
    "policy": "/deployments/policies/MC/",
    "verdicts": "/deployments/verdicts/MC/",
    "password": "/accounts/password/change/",
    "two-step": "/accounts/2fa/",
    "missing": "/nothing-here/",
    "not-understood": "/tickets/?before=x",
    "sign-out": "/accounts/logout/",
    "confirm-it-is-you": "/accounts/2fa/totp/activate/",
    "admin": "/admin/",
    "admin-jobs": "/admin/workers/job/",
    "admin-job": "/admin/workers/job/3/change/",
    "admin-pause": "/admin/workers/pause/add/",
    "admin-project": "/admin/tickets/project/1/change/",
    "admin-ticket": "/admin/tickets/ticket/1/change/",
    "admin-reviews": "/admin/reviews/review/",
    "admin-review": "/admin/reviews/review/1/change/",
    "admin-review-new": "/admin/reviews/review/add/",
    "admin-review-discard": "/admin/reviews/review/1/do/discard/",
    "admin-plan": "/admin/reviews/importrow/",
    "admin-findings": "/admin/reviews/finding/",
    "admin-finding": "/admin/reviews/finding/1/change/",
    "admin-council": "/admin/reviews/council/1/change/",
    "admin-message": "/admin/tickets/message/1/change/",
    "admin-agent": "/admin/workers/agent/1/change/",
    "admin-user": "/admin/core/user/1/change/",
    "admin-notifications": "/admin/core/notification/",
    "admin-secret": "/admin/core/secret/add/",
}
STRANGERS: Final = {
    "login": "/accounts/login/",
    "reset": "/accounts/password/reset/",
    "reset-sent": "/accounts/password/reset/done/",
    "no-sign-up": "/accounts/signup/",
    "link-not-valid": "/accounts/password/reset/key/1-abc/",
    "switched-off": "/accounts/inactive/",
}


def routed(url: str) -> bool:
    try:
        resolve(url.partition("?")[0])
    except Resolver404:
        return url == PAGES["missing"]
    return True


@dataclass(slots=True)
class Site:
    """The running site, and Chromium in front of it."""

    stack: Stack
    browser: Browser
    world: World
    cookies: list[Any] = field(default_factory=list)
    # one browser profile for each look: its cache keeps what all pages load
    profiles: dict[tuple[str, int, bool], BrowserContext] = field(default_factory=dict)

    @contextmanager
    def page(self, url: str, scheme: str = "light", width: int = 1280, *, signed_in: bool = True) -> Iterator[Page]:
        """A page as somebody sees it. Anything on the console, and any refused load, fails the test."""
        context = self.profile(scheme, width, signed_in)
        page = context.new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text) if message.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        answer = page.goto(url)
        assert answer is not None
        assert answer.status < 500, url
        yield page
        # the browser says of a document that was refused that it was
        refused = str(answer.status) if answer.status >= 400 else "no refusal"
        assert [words for words in said if refused not in words] == [], url
        page.close()

    def profile(self, scheme: str, width: int, signed_in: bool) -> BrowserContext:
        key = (scheme, width, signed_in)
        if key not in self.profiles:
            context = self.browser.new_context(
                base_url=self.stack.base_url,
                color_scheme=scheme,  # type: ignore[arg-type]
                viewport={"width": width, "height": 900},
                permissions=["clipboard-read", "clipboard-write"],
            )
            if signed_in:
                context.add_cookies(self.cookies)
            self.profiles[key] = context
        return self.profiles[key]


@pytest.fixture(scope="module")
def site(stack: Stack, browser: Browser) -> Site:
    from tests import factories
    from tests.portal.site import samples
    from tests.reviews import chambers
    from tests.tickets import build
    from tickets.models import Ticket

    world = factories.world()
    for n in range(3):
        samples.one_of_each(world, n)
    build.talk(Ticket.objects.get(key="MC-3"), world.operator, world.reviewer)
    build.measured_ticket(Ticket.objects.get(key="MC-6"), world.operator, world.reviewer)
    build.sent_back_ticket(Ticket.objects.get(key="MC-4"), world.reviewer)
    build.running_ticket(Ticket.objects.get(key="MC-103"), world.reviewer)
    chambers.disputed(world.mc, world.reviewer, by=world.reviewer)
    stack.web()
    found = Site(stack, browser, world)
    found.cookies = [{"name": "shiproom", "value": session_of(world), "url": stack.base_url}]
    return found


def session_of(world: World) -> str:
    """A session of the admin, as signing in makes it."""
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore

    session = SessionStore()
    session[SESSION_KEY] = str(world.admin.pk)
    session[BACKEND_SESSION_KEY] = "allauth.account.auth_backends.AuthenticationBackend"
    session[HASH_SESSION_KEY] = world.admin.get_session_auth_hash()
    session.save()
    return str(session.session_key)


def in_every_look(page: Page, name: str) -> None:
    """Light, dark and on a phone. The page is loaded once; the admin's theme looks at the scheme only as it loads."""
    for scheme, width in LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        if "/admin/" in page.url:
            page.reload()
        looked_at(page, f"{name}-{scheme}-{width}", AXE_COLOURS if scheme == "dark" else AXE)


def looked_at(page: Page, name: str, rules: dict[str, Any] = AXE) -> None:
    """A picture, no violation, nothing wider than the window."""
    page.wait_for_load_state("load")
    if PICTURES:
        page.screenshot(path=SCREENS / f"{name}.jpg", type="jpeg", full_page=True)
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    violations = page.evaluate("options => axe.run(options).then(found => found.violations)", rules)
    told = [f"{found['id']}: {node['html'][:160]}" for found in violations for node in found["nodes"]]
    assert told == [], name
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} is wider than the window"


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", [name for name, url in PAGES.items() if routed(url)])
def test_a_page_looks_right(site: Site, name: str) -> None:
    with site.page(PAGES[name]) as page:
        in_every_look(page, name)


@pytest.mark.parametrize("name", STRANGERS)
def test_a_page_looks_right_to_a_stranger(site: Site, name: str) -> None:
    with site.page(STRANGERS[name], signed_in=False) as page:
        in_every_look(page, name)


@pytest.mark.parametrize("template", ["403", "403_csrf", "409", "429", "500"])
def test_a_refusal_looks_right(site: Site, template: str) -> None:
    """Pages that a visit cannot ask for: the answer of the portal, put under an address of the site."""
    from django.test import RequestFactory

    from portal.site import errors

    request = RequestFactory().post("/deployments/1/", {"reason": "Because it is safe."})
    request.request_id = "0123456789abcdef"  # type: ignore[attr-defined]
    told = {"sentence": "Deployment 1 is refused already.", "back": "/", "minutes": 15, "failures": 5}
    typed = [("reason", "Because it is safe.")]
    answer = errors.answer(request, int(template[:3]), f"{template}.html", typed=typed, **told)
    page = site.profile("light", 1280, signed_in=True).new_page()
    page.route("**/refused/", lambda route: route.fulfill(body=answer.content.decode(), content_type="text/html"))
    page.goto("/refused/")
    in_every_look(page, f"refused-{template}")
    page.close()


def test_a_wrong_password_is_said_in_place(site: Site) -> None:
    with site.page("/accounts/login/", signed_in=False) as page:
        page.get_by_label("E-mail address").fill("nobody@example.org")
        page.get_by_label("Password").fill("wrong")
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("alert").get_by_text("is wrong").wait_for()
        assert page.get_by_label("E-mail address").input_value() == "nobody@example.org"
        assert page.evaluate("document.activeElement.getAttribute('aria-invalid')") == "true"
        looked_at(page, "login-wrong")


def test_the_page_says_that_it_is_live(site: Site) -> None:
    with site.page("/workers/") as page:
        page.locator("[data-live-badge][data-tone=good]").wait_for(timeout=10_000)


def test_keys_go_places_and_are_silent_while_typing(site: Site) -> None:
    with site.page("/") as page:
        page.keyboard.press("?")
        dialog = page.get_by_role("dialog", name="Keyboard shortcuts")
        dialog.wait_for()
        looked_at(page, "shortcuts")
        page.keyboard.press("Escape")
        dialog.wait_for(state="hidden")
        page.keyboard.press("/")
        page.keyboard.type("gw?")
        assert page.get_by_role("searchbox").input_value() == "gw?"
        page.get_by_role("searchbox").blur()
        page.keyboard.press("g")
        page.keyboard.press("w")
        page.wait_for_url("**/workers/", wait_until="load")
        page.keyboard.press("j")
        assert re.fullmatch(r"/workers/jobs/\d+/", page.evaluate("document.activeElement.getAttribute('href')"))


def test_the_board_is_walked_and_its_cards_are_moved_by_keys(site: Site) -> None:
    with site.page("/tickets/") as page:

        def column() -> str:
            focused = "document.activeElement.closest('.col')?.querySelector('h2')"
            return str(page.evaluate(f"{focused}?.getAttribute('id')"))

        page.keyboard.press("b")
        page.wait_for_url("**/tickets/board/", wait_until="load")
        page.keyboard.press("j")
        assert column() == "column-open"
        first = page.evaluate("document.activeElement.href")
        page.keyboard.press("j")
        assert page.evaluate("document.activeElement.href") != first
        page.keyboard.press("ArrowRight")
        assert column() == "column-running"
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        assert column() == "column-in_review"
        page.keyboard.press("m")
        assert page.evaluate("document.activeElement.hash") == "#assign-form"
        looked_at(page, "tickets-board-moves")
        page.keyboard.press("Enter")
        page.wait_for_url("**/tickets/MC-*/#assign-form")
        page.locator("#assign-form").wait_for(state="visible")
        page.go_back()
        page.keyboard.press("l")
        page.wait_for_url("**/tickets/")


def test_the_skip_link_comes_first(site: Site) -> None:
    with site.page("/workers/") as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to content"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"


def test_the_menu_opens_on_a_phone(site: Site) -> None:
    with site.page("/", width=390) as page:
        page.get_by_role("button", name="Menu").click()
        page.get_by_role("link", name="Workers and jobs").wait_for()
        looked_at(page, "menu-390")


def test_the_theme_is_chosen_in_the_account_menu(site: Site) -> None:
    with site.page("/status/") as page:
        page.get_by_role("button", name="Account: Admin").click()
        looked_at(page, "account-menu")
        page.get_by_role("button", name="Dark").click()
        page.wait_for_load_state()
        assert page.url.endswith("/status/")
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
        page.get_by_role("button", name="Account: Admin").click()
        page.get_by_role("button", name="System").click()
        page.wait_for_load_state()
        assert page.evaluate("document.documentElement.dataset.theme ?? ''") == ""


def test_a_dangerous_button_asks_first(site: Site) -> None:
    from workers.models import Job, JobState

    job = Job.objects.create(kind="sample", pool="short", audience=site.world.mc.scope)
    with site.page(f"/workers/jobs/{job.pk}/") as page:
        page.get_by_label("Why it is cancelled").fill("Nobody waits for it.")
        page.get_by_role("button", name="Cancel job").click()
        dialog = page.get_by_role("dialog", name="Cancel job")
        looked_at(page, "confirm")
        dialog.get_by_role("button", name="Keep it").click()
        job.refresh_from_db()
        assert job.state == JobState.QUEUED
        page.get_by_role("button", name="Cancel job").click()
        dialog.get_by_role("button", name="Cancel job").click()
        page.get_by_role("status").get_by_text("cancelled.").wait_for()
        looked_at(page, "toast")
        job.refresh_from_db()
        assert job.state == JobState.CANCELLED
        page.get_by_role("button", name="Dismiss").click()
        assert page.locator(".toast").count() == 0


def test_a_request_id_is_copied(site: Site) -> None:
    with site.page("/nothing-here/") as page:
        shown = page.locator("#request-id").inner_text()
        page.get_by_role("button", name="Copy").click()
        page.get_by_text("Copied").wait_for()
        assert page.evaluate("navigator.clipboard.readText()") == shown


def test_no_page_needs_a_script(site: Site) -> None:
    context = site.browser.new_context(base_url=site.stack.base_url, java_script_enabled=False)
    context.add_cookies(site.cookies)
    page = context.new_page()
    for url in ("/", "/workers/", "/workers/jobs/3/", "/status/"):
        page.goto(url)
        assert page.get_by_role("heading", level=1).count() == 1
    context.close()
