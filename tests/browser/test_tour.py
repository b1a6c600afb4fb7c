"""The tour of README, walked as it is written: its commands run, its buttons pressed, its pictures taken.

It begins as a user does, with ``make up``, and ends with Ctrl-C; the product
has nothing of the suite. The pictures lie in ``test-results/tour`` afterwards;
with UPDATE_PICTURES=1 (``make pictures``) they are those of the docs, too.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from axe_playwright_python.base import AXE_SCRIPT

from tests.browser import tour
from tests.browser.test_look import AXE
from tests.engines import children, leaks, postgresql
from tests.test_up import plain_environment

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Locator, Page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.processes,
    pytest.mark.slow,
    pytest.mark.once,
    pytest.mark.timeout(400),
]

ROOT: Final = Path(__file__).resolve().parents[2]
TAKEN: Final = ROOT / "test-results" / "tour"
PASSWORD: Final = "a lamp for each harbour light"
START_SECONDS: Final = 120
STOP_SECONDS: Final = 40
SEEN_SECONDS: Final = 60
FOUND_SECONDS: Final = 20
PICTURE_BYTES: Final = 200_000
# What is low on the page, or below it, is brought under the header.
UP: Final = """element => {
    if (element.getBoundingClientRect().top > innerHeight * 0.66) {
        element.style.scrollMarginTop = '120px'
        element.scrollIntoView({block: 'start'})
    }
}"""


@dataclass
class Product:
    """An installation in a folder and on ports of its own, run by the commands that README gives."""

    folder: Path
    port: int
    # the demo's ports as README has them, and as they are here
    ports: dict[int, int]
    process: subprocess.Popen[bytes] | None = None
    # what ran in both places to begin with
    first: str = ""

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def environment(self) -> dict[str, str]:
        own = {"DATA_DIR": str(self.data), "PORT": str(self.port)}
        own |= {"DEMO_PRODUCTION_PORT": str(self.ports[8090]), "DEMO_STAGING_PORT": str(self.ports[8091])}
        return plain_environment(**own)

    def run(self, command: str) -> None:
        """``make up`` goes on; any other command ends, and ends well."""
        argv = ["sh", "-c", f"exec {command}"]
        if not command.startswith("make up"):
            done = subprocess.run(argv, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
            return
        assert self.process is None, "it runs already"
        log = self.folder / "up.log"
        self.process = children.start(argv, cwd=ROOT, env=self.environment, log=log)
        told = f"Shiproom is at http://localhost:{self.port}\n"
        try:
            children.wait_for(command, lambda: told in log.read_text(), seconds=START_SECONDS, process=self.process)
        except RuntimeError as error:
            raise AssertionError(f"{error}; it wrote:\n{log.read_text()[-4000:]}") from None

    def interrupt(self) -> None:
        """Ctrl-C, which a terminal gives to all that run in its foreground."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGINT)
        self.process.wait(STOP_SECONDS)
        leaks.expect_none("DATA_DIR", str(self.data))
        self.process = None

    def link(self) -> str:
        return (self.data / Path(tour.LINK_FILE).name).read_text(encoding="utf-8").splitlines()[-1]

    def here(self, address: str) -> str:
        """An address of the demo, with the port that it has here."""
        return re.sub(r":(\d+)/", lambda port: f":{self.ports[int(port[1])]}/", address, count=1)

    def live(self, port: int) -> str:
        """The commit that the service reports itself."""
        with urllib.request.urlopen(self.here(f"http://127.0.0.1:{port}/health"), timeout=10) as answer:
            return str(json.load(answer)["commit"])

    def commit(self, name: str) -> str:
        argv = ["git", "-C", str(self.data / "demo" / "repository"), "rev-parse", name]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


@dataclass
class Walker:
    """Somebody who does what a step says, in a window of a browser. ``said`` is what the console had to say."""

    product: Product
    context: BrowserContext
    page: Page
    aside: Page | None = None
    seen: Locator | None = None
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        # Of each page, those beside the portal's own too.
        self.context.on(
            "console", lambda told: self.said.append(told.text) if told.type in {"error", "warning"} else None
        )
        self.context.on("weberror", lambda told: self.said.append(str(told.error)))

    def do(self, deed: tour.Deed) -> None:
        if deed.kind not in {"see", "visit"} and self.aside is not None:
            self.aside.close()
            self.aside = None
        doing: dict[str, Callable[[], None]] = {
            "run": lambda: self.product.run(deed.what),
            "interrupt": self.product.interrupt,
            "open": lambda: self.go(self.product.link()),
            "visit": lambda: self.visit(self.product.here(deed.what)),
            "press": lambda: self.press(deed.what),
            "fill": lambda: self.fill(deed.what, deed.value),
            "see": lambda: self.see(deed.what),
            "picture": lambda: self.take(Path(deed.what).name),
        }
        doing[deed.kind]()

    def go(self, address: str) -> None:
        self.page.goto(address)
        self.seen = None

    def visit(self, address: str) -> None:
        """In a window beside the portal's."""
        if self.aside is None:
            self.aside = self.context.new_page()
        self.aside.goto(address)

    def press(self, name: str) -> None:
        """The one button or link of that name; in a dialog, where one is open."""
        self._choose_passwords()
        control = self._control(name)
        href = control.get_attribute("href")
        control.click()
        if href:
            self.page.wait_for_url(lambda url: url.endswith(href))
        self.page.wait_for_load_state()
        self.seen = None

    def _control(self, name: str) -> Locator:
        # A count, or what it is about, may follow its name.
        pattern = re.compile(rf"^{re.escape(name)}( \d.*| ?: .*)?$")

        def shown() -> list[Locator]:
            dialog = self.page.get_by_role("dialog")
            scope = dialog if dialog.count() and dialog.first.is_visible() else self.page
            found = [scope.get_by_role(role, name=pattern).all() for role in ("button", "link")]  # type: ignore[arg-type]
            return [control for controls in found for control in controls if control.is_visible()]

        deadline = time.monotonic() + FOUND_SECONDS
        while not (controls := shown()):
            assert time.monotonic() < deadline, f"there is no button or link {name!r}"
            self.page.wait_for_timeout(100)
        leads = {control.get_attribute("href") for control in controls}
        assert len(controls) == 1 or (len(leads) == 1 and None not in leads), f"{name!r} may be one of {leads}"
        return controls[0]

    def _choose_passwords(self) -> None:
        """README leaves the password to the reader."""
        for empty in self.page.locator("input[type=password]").all():
            if empty.is_visible() and not empty.input_value():
                empty.fill(PASSWORD)

    def fill(self, label: str, value: str) -> None:
        choice = self.page.get_by_role("combobox", name=label, exact=True)
        if choice.count():
            choice.select_option(label=value)
        else:
            self.page.get_by_role("textbox", name=label, exact=True).fill(value)

    def see(self, text: str) -> None:
        """Wait until the page says it."""
        said = r"\s+".join(re.escape(word) for word in text.split())
        place = self.aside.locator("body") if self.aside is not None else self.page.locator("main")
        found = place.get_by_text(re.compile(rf"(?<!\w){said}(?!\w)")).filter(visible=True).first
        found.wait_for(timeout=SEEN_SECONDS * 1000)
        if self.aside is None:
            self.seen = found

    def take(self, name: str) -> None:
        """A picture of what was seen last, without violation of what everybody needs to read it."""
        for toast in self.page.get_by_role("button", name="Dismiss").all():
            toast.click()
        if self.seen is not None:
            self.seen.evaluate(UP)
        self.page.mouse.move(0, 0)
        TAKEN.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=TAKEN / name, animations="disabled")
        assert (TAKEN / name).stat().st_size < PICTURE_BYTES
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE_SCRIPT)
        violations = self.page.evaluate("options => axe.run(options).then(found => found.violations)", AXE)
        assert [f"{found['id']}: {node['html'][:160]}" for found in violations for node in found["nodes"]] == [], name


def _the_fault_is_live(product: Product) -> None:
    product.first = product.commit("main")
    assert product.live(8090) == product.live(8091) == product.first


def _the_fix_is_live(product: Product) -> None:
    assert product.live(8090) == product.live(8091) == product.commit("main") != product.first


def _production_is_as_it_was(product: Product) -> None:
    assert product.live(8090) == product.commit("main") != product.commit("hurried")


def _staging_has_what_it_began_with(product: Product) -> None:
    assert product.live(8091) == product.first
    assert product.live(8090) == product.commit("main")


def _nothing_is_left_of_it(product: Product) -> None:
    assert not (product.data / "demo").exists()


# What a page cannot show: that the service itself says so.
AFTERWARDS: Final = {
    "Start it": _the_fault_is_live,
    "To staging, then to production": _the_fix_is_live,
    "What was hurried goes back by itself": _production_is_as_it_was,
    "A person takes it back": _staging_has_what_it_began_with,
    "Put it away": _nothing_is_left_of_it,
}


@pytest.fixture
def product() -> Iterator[Product]:
    # Short: there are sockets in it.
    folder = Path(tempfile.mkdtemp(prefix="sr-tour-", dir="/tmp"))
    # The pictures of the docs have the ports of the docs in them.
    ports = {port: port if _for_the_docs() else postgresql.free_port() for port in (8090, 8091)}
    found = Product(folder, postgresql.free_port(), ports)
    yield found
    try:
        if found.process is not None:
            found.interrupt()
    finally:
        if found.process is not None:
            children.end(found.process)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def walker(product: Product, browser: Browser) -> Iterator[Walker]:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme="light")
    yield Walker(product, context, context.new_page())
    context.close()


def test_the_tour_goes_as_it_is_written(walker: Walker) -> None:
    steps = tour.read(tour.README.read_text(encoding="utf-8"))
    assert set(AFTERWARDS) <= {step.title for step in steps}
    for step in steps:
        began = time.monotonic()
        for deed in step.deeds:
            try:
                walker.do(deed)
            except Exception as problem:
                problem.add_note(f"step {step.number}, {step.title}: {deed}\nat {_where(walker)}")
                raise
        assert walker.said == [], step.title
        if step.title in AFTERWARDS:
            AFTERWARDS[step.title](walker.product)
        print(f"{time.monotonic() - began:5.1f} s  {step.number}. {step.title}")
    _keep_pictures(steps)


def _where(walker: Walker) -> str:
    page = walker.aside or walker.page
    TAKEN.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=TAKEN / "stopped-here.png", full_page=True)
    return f"{page.url}:\n{page.locator('body').inner_text()[:3000]}"


def _for_the_docs() -> bool:
    return os.environ.get("UPDATE_PICTURES") == "1"


def _keep_pictures(steps: list[tour.Step]) -> None:
    """All of one walk, or none."""
    if _for_the_docs():
        for deed in (deed for step in steps for deed in step.deeds if deed.kind == "picture"):
            shutil.copy(TAKEN / Path(deed.what).name, ROOT / deed.what)


WALKED: Final = tour.CHAPTER + "\nHow it is read.\n\n### 1. Do it\n\n{}\n\n## Then\n"


def test_a_step_is_read_in_the_order_of_its_words() -> None:
    told = (
        "Press **Go\non**, then the **Place** `one · two`: *it is\nthere*.\n\n```\nmake up\n```\n\n"
        "[Look](http://127.0.0.1:8090/), ![it](docs/pictures/it.png), `data/first-admin.txt`, <kbd>Ctrl-C</kbd>."
    )
    [step] = tour.read(WALKED.format(told))
    assert (step.number, step.title) == (1, "Do it")
    assert [(deed.kind, deed.what, deed.value) for deed in step.deeds] == [
        ("press", "Go on", ""),
        ("fill", "Place", "one · two"),
        ("see", "it is there", ""),
        ("run", "make up", ""),
        ("visit", "http://127.0.0.1:8090/", ""),
        ("picture", "docs/pictures/it.png", ""),
        ("open", "data/first-admin.txt", ""),
        ("interrupt", "Ctrl-C", ""),
    ]


@pytest.mark.parametrize(
    "told",
    [
        "Look at `main`.",
        "**Go** and [read](docs/agents.md).",
        "**Go**\n\n- one\n- [ ] two",
        "**Go** to <http://localhost/>.",
        "**Go _on_",
        "Nothing but words.",
        "**Go**\n\n### 3. Go on\n\n**Go**",
    ],
)
def test_a_step_with_anything_else_is_refused(told: str) -> None:
    with pytest.raises(ValueError):
        tour.read(WALKED.format(told))
