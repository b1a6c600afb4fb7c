"""Gates over the source: what must not be written anywhere, but in the files that are named here."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent
LAYERS = ("portal", "workers", "tickets", "reviews", "deployments")
# Text that is HTML already: the cleaned markdown, the guard's own page, the attributes of a live element.
MARKED_SAFE = {
    "portal/core/guard/refusal.py",
    "portal/core/markdown.py",
    "portal/site/templatetags/shiproom.py",
    "tickets/templatetags/written.py",
}
# Clocks of a process. The database's clock judges leases and orders history.
OWN_CLOCK = {
    "portal/core/middleware.py": "the age of a session, which the framework keeps in the same clock",
    "portal/live/rights.py": "the same age, for sockets",
    "portal/site/errors.py": "the time on an error page: the database may be what broke",
    "portal/site/looks.py": "how long ago something was, in words",
    "portal/site/templatetags/shiproom.py": "the same",
    "portal/site/queries.py": "how long somebody has been waited for, in words",
    "portal/site/figures.py": "what belongs to today and to this week",
    "portal/site/keeping/manifest.py": "when a backup was made: a name for people, also where no database answers",
    "workers/calendars.py": "whether what was typed ever comes due again",
    "deployments/probing.py": "when a service answered: a program of its own, without a database",
    "portal/settings.py": "whether an override has expired",
    "portal/core/guard/override.py": "whether an override has expired",
    "tickets/attachments.py": "how old a file without a row is: files carry the machine's time",
    "tickets/clones.py": "how old a lock of git is: files carry the machine's time",
    "tickets/ground.py": "how old a lock without a place is: the same",
}
# Threads: the lease-keeper, the executor of the sockets, and nothing else but in a program of its own.
THREADS = {"workers/leases.py", "portal/live/threads.py", "deployments/probing.py"}
# Statements that name what can be no parameter: a table, a column, a constraint, a setting of the session.
NAMES_IN_SQL = {
    "portal/core/bulk.py",
    "portal/core/guard/history.py",
    "portal/core/guard/mending.py",
    "portal/core/guard/step_lock.py",
    "portal/core/identifiers.py",
    "portal/site/keeping/moving.py",
    "portal/site/keeping/postgresql.py",
    "portal/site/keeping/sqlite.py",
    "portal/site/rehearsing/levels.py",
    "portal/site/rehearsing/postgresql.py",
    "workers/fencing.py",
}
# What a box shows at which of its own places, and which of the machine's are too wide to be shown.
PLACES_OF_A_BOX = {"workers/agents/containment.py", "workers/agents/programs.py"}
STATEMENT = re.compile(
    r"\s*(?:select\b|insert\s+into\b|update\b.*\bset\b|delete\s+from\b|pragma\b|where\b.*=|order\s+by\b"
    r"|set\s+\w+\s*=|(?:alter|create|drop)\s+(?:table|index|trigger|view|constraint)\b)",
    re.IGNORECASE | re.DOTALL,
)
EXECUTING = {"execute", "executemany", "raw", "extra", "RawSQL", "RunSQL"}
CLOCK_CALLS = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "timezone.now"}


def sources() -> Iterator[tuple[str, ast.Module]]:
    for layer in LAYERS:
        for path in sorted((ROOT / layer).rglob("*.py")):
            if "migrations" not in path.parts:
                yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def templates() -> list[Path]:
    return [path for layer in LAYERS for path in (ROOT / layer).rglob("*.html")]


def dotted(node: ast.AST) -> str:
    """``a.b.c`` of a name or an attribute; empty for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inner = dotted(node.value)
        return f"{inner}.{node.attr}" if inner else node.attr
    return ""


def calls() -> Iterator[tuple[str, str, ast.Call]]:
    for path, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                yield path, dotted(node.func), node


def put_together(tree: ast.AST) -> Iterator[ast.AST]:
    """Statements of SQL into which something is written, and what is executed without being a text of its own."""
    for node in ast.walk(tree):
        match node:
            case ast.JoinedStr(values=parts) if any(map(_varies, parts)):
                if STATEMENT.match("".join(str(part.value) for part in parts if isinstance(part, ast.Constant))):
                    yield node
            case ast.BinOp(left=ast.Constant(value=str(text)), op=ast.Add() | ast.Mod()) if STATEMENT.match(text):
                yield node
            case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(text)), attr="format" | "join")):
                if STATEMENT.match(text):
                    yield node
            case ast.Call(args=[said, *_]) if dotted(node.func).rpartition(".")[2] in EXECUTING:
                if not isinstance(said, ast.Constant | ast.Name | ast.Attribute):
                    yield node


def _varies(part: ast.AST) -> bool:
    """Whether it is written in while it runs: a constant of the module is part of the text."""
    return isinstance(part, ast.FormattedValue) and not dotted(part.value).isupper()


def places(found: Iterator[tuple[str, ast.AST]]) -> list[str]:
    return [f"{path}:{getattr(node, 'lineno', 0)}" for path, node in found]


class TestMarkup:
    def test_text_is_called_safe_in_named_files_alone(self) -> None:
        words = {"mark_safe", "SafeString", "SafeText"}
        marking = {path for path, name, _ in calls() if name.rpartition(".")[2] in words}
        assert marking - MARKED_SAFE == set()

    def test_no_template_turns_escaping_off(self) -> None:
        wrong = [
            str(path.relative_to(ROOT))
            for path in templates()
            if re.search(r"\|\s*safe\b|\|\s*safeseq\b|autoescape\s+off", path.read_text(encoding="utf-8"))
        ]
        assert wrong == []

    def test_no_template_holds_a_script_or_a_handler(self) -> None:
        """The policy would not run it: what is written there is dead."""
        script = r"<script(?![^>]*\bsrc=)(?![^>]*type=\"application/json\")[^>]*>"
        inline = re.compile(script + r"|\son\w+=\"|javascript:", re.I)
        wrong = [str(path.relative_to(ROOT)) for path in templates() if inline.search(path.read_text(encoding="utf-8"))]
        assert wrong == []

    def test_format_html_is_given_its_parts_and_never_a_text_that_was_put_together(self) -> None:
        wrong = (
            (path, node)
            for path, name, node in calls()
            if name.rpartition(".")[2] == "format_html" and node.args and not isinstance(node.args[0], ast.Constant)
        )
        assert places(wrong) == []


class TestInput:
    def test_no_statement_is_put_together_with_a_value(self) -> None:
        wrong = ((path, node) for path, tree in sources() if path not in NAMES_IN_SQL for node in put_together(tree))
        assert places(wrong) == []

    @pytest.mark.parametrize(
        "code",
        [
            """f"SELECT name FROM t WHERE id = {number}\"""",
            """"SELECT name FROM t WHERE id = %s" % number""",
            """"delete from t where id = " + number""",
            """"UPDATE t SET name = '{}'".format(name)""",
            """Row.objects.extra(where=[f"where name = '{name}'"])""",
            """cursor.execute(statement_of(name))""",
            """Row.objects.raw("SELECT 1" + rest)""",
        ],
    )
    def test_a_statement_that_is_put_together_is_noticed(self, code: str) -> None:
        assert list(put_together(ast.parse(code)))

    def test_no_folder_of_one_machine_is_written_into_the_code(self) -> None:
        """Whoever installs it says where things lie; a folder for a while is asked of the system."""
        folder = re.compile(r"(?:/tmp|/var|/home|/root|/Users|[A-Z]:\\)(?:[/\\]|$)")
        wrong = (
            (path, node)
            for path, tree in sources()
            if path not in PLACES_OF_A_BOX
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and folder.match(node.value)
        )
        assert places(wrong) == []

    def test_no_certificate_is_taken_unchecked(self) -> None:
        refused = r"CERT_NONE|_create_unverified_context|check_hostname\s*=\s*False|verify\s*=\s*False"
        refused += r"|sslVerify(?!': 'true')"
        assert [path for path, tree in sources() if re.search(refused, ast.unparse(tree))] == []

    def test_no_shell_is_started(self) -> None:
        wrong = (
            (path, node)
            for path, name, node in calls()
            if name in {"os.system", "os.popen"}
            or any(keyword.arg == "shell" and getattr(keyword.value, "value", True) for keyword in node.keywords)
        )
        assert places(wrong) == []

    def test_nothing_is_unpickled_or_evaluated(self) -> None:
        refused = {"eval", "exec", "yaml.load", "yaml.unsafe_load", "yaml.full_load", "marshal.loads"}
        wrong = (
            (path, node)
            for path, name, node in calls()
            if name in refused or name.split(".")[0] in {"pickle", "cPickle", "dill", "shelve", "jsonpickle"}
        )
        assert places(wrong) == []

    def test_no_request_is_spread_into_a_query(self) -> None:
        wrong = (
            (path, keyword.value)
            for path, _, node in calls()
            for keyword in node.keywords
            if keyword.arg is None and re.search(r"request\.(GET|POST|COOKIES|headers)", ast.unparse(keyword.value))
        )
        assert places(wrong) == []

    def test_no_regular_expression_comes_from_a_person(self) -> None:
        wrong = (
            (path, node)
            for path, name, node in calls()
            if name.startswith("re.")
            and node.args
            and any(dotted(part).startswith("request.") for part in ast.walk(node.args[0]))
        )
        assert places(wrong) == []


class TestState:
    def test_a_status_is_written_by_its_transition_alone(self) -> None:
        """Nobody assigns it: the conditional UPDATE writes it, and the row is read again."""
        wrong = (
            (path, target)
            for path, tree in sources()
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign)
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Attribute)
            and target.attr in {"state", "status"}
            and dotted(target.value) != "self"
        )
        assert places(wrong) == []

    def test_no_whole_row_is_saved(self) -> None:
        """A save names its fields, or inserts."""
        wrong = (
            (path, node)
            for path, name, node in calls()
            if name.rpartition(".")[2] == "save"
            and not name.startswith(("super", "formset", "request.session", "session"))
            and not _inward(node)
            and not {keyword.arg for keyword in node.keywords} & {"update_fields", "force_insert", "commit"}
        )
        assert places(wrong) == []


def _inward(node: ast.Call) -> bool:
    """``super().save(...)``."""
    inner = node.func.value if isinstance(node.func, ast.Attribute) else None
    return isinstance(inner, ast.Call) and dotted(inner.func) == "super"


class TestSecrets:
    def test_nothing_secret_is_compared_by_equality(self) -> None:
        named = re.compile(r"(^|[._])(token|secret|digest|password|nonce|signature|auth_hash)s?$")

        def secret(node: ast.AST) -> bool:
            return bool(named.search(dotted(node))) and not isinstance(node, ast.Constant)

        # A digest of what everybody may see is its name: of the findings that a gate saw, of the static files,
        # of the files of a backup, of lines of code that a decision rests on,
        # of the structure of a database, of a plan.
        documents = {
            "deployments/verdicts.py",
            "deployments/approvals.py",
            "deployments/overriding.py",
            "deployments/plans.py",
            "deployments/waiving.py",
            "deployments/structures.py",
            "deployments/deployment_page.py",
            "reviews/premises.py",
            "reviews/regions.py",
            "portal/site/launching/collecting.py",
            "portal/site/rehearsing/levels.py",
            "portal/site/keeping/manifest.py",
        }
        wrong = [
            f"{path}:{node.lineno} {ast.unparse(node)}"
            for path, tree in sources()
            if path not in documents
            for node in ast.walk(tree)
            if isinstance(node, ast.Compare)
            and any(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops)
            and any(secret(side) for side in (node.left, *node.comparators))
        ]
        assert wrong == []

    def test_the_same_randomness_is_used_for_all_that_is_secret(self) -> None:
        """``random`` is for jitter; a key, a nonce or a token comes from ``secrets``."""
        using = {path for path, name, _ in calls() if name.startswith("random.")}
        assert not {path for path in using if path.startswith("portal/core/")}


class TestTime:
    def test_a_process_asks_its_own_clock_in_named_files_alone(self) -> None:
        asking = {path for path, name, _ in calls() if ".".join(name.split(".")[-2:]) in CLOCK_CALLS}
        assert asking - set(OWN_CLOCK) - {path for path in asking if _tells_only(path)} == set()

    def test_the_list_names_no_file_that_is_gone(self) -> None:
        assert [path for path in OWN_CLOCK if not (ROOT / path).exists()] == []


def _tells_only(path: str) -> bool:
    """The guard's pages and the launcher say when something was: nothing is judged by it."""
    return path.startswith(("portal/core/guard/", "portal/site/launching/", "workers/supervision/"))


class TestThreads:
    def test_there_is_no_thread_but_the_named_ones(self) -> None:
        kinds = {"Thread", "Timer", "ThreadPoolExecutor", "ProcessPoolExecutor", "start_new_thread"}
        making = {path for path, name, _ in calls() if name.rpartition(".")[2] in kinds}
        assert making - THREADS == set()


class TestLayers:
    @pytest.mark.timeout(120)
    def test_imports_point_down(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from importlinter.application import use_cases
        from importlinter.configuration import configure

        monkeypatch.chdir(ROOT)
        configure()
        assert use_cases.lint_imports(cache_dir=None) is True

    def test_every_part_of_portal_is_in_a_contract(self) -> None:
        import tomllib

        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
        named = set(re.findall(r"portal\.(\w+)", repr(project["tool"]["importlinter"]["contracts"])))
        parts = [
            path for path in (ROOT / "portal").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
        ]
        assert {path.stem for path in parts} - named - {"__init__"} == set()


class TestDependencies:
    # The first version without a hole that this product would have been open to.
    FLOORS = {"django": (5, 2, 14), "kombu": (5, 7, 0), "pysqlite3": (0, 6, 1)}

    @pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
    def test_what_is_installed_is_one_version_known_by_its_hash(self, lock: str) -> None:
        written = (ROOT / lock).read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
        unpinned = [line for line in written if line.strip() and not re.match(r"[\w.-]+==\S+.* --hash=sha256:", line)]
        assert unpinned == []

    def test_no_version_with_a_known_hole_is_locked(self) -> None:
        locked = dict(re.findall(r"^([\w.-]+)==([\d.]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
        below = [
            name for name, floor in self.FLOORS.items() if tuple(int(n) for n in locked[name].split(".")[:3]) < floor
        ]
        assert below == []


class TestNames:
    def test_no_module_is_named_for_nothing(self) -> None:
        refused = {"utils", "util", "helpers", "common", "base", "misc", "manager", "managers", "services"}
        assert [path for path, _ in sources() if Path(path).stem in refused] == []
