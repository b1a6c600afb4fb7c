"""This project as its next release would be: a copy of its code with migrations more."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from portal.core.guard import history, manifest, structure
from portal.core.guard.manifest import Manifest
from portal.core.guard.structure import Constraint
from portal.core.guard.writing import owners
from tests.portal.core.guard.databases import ROOT, Database

PACKAGES = ("portal", "workers", "tickets", "reviews", "deployments")
EXPAND, CONTRACT = ("tickets", "0998_later"), ("tickets", "0999_stricter")
TABLE = "tickets_message"
_BEFORE = "    number = models.PositiveIntegerField(editable=False)\n"
_FIELD = 'later = models.CharField(max_length=20, blank=True, db_default="", editable=False)'
_EXPAND = """
from django.db import migrations, models

class Migration(migrations.Migration):
    dependencies = [("tickets", "{last}")]
    operations = [migrations.AddField("message", "{name}", {field})]
"""
_CONTRACT = """
from django.db import migrations, models

class Migration(migrations.Migration):
    dependencies = [("tickets", "0998_later")]
    check = models.CheckConstraint(condition=models.Q(number__gte=1), name="later_numbered")
    operations = [migrations.AddConstraint("message", check)]
"""


@dataclass(frozen=True, slots=True)
class Newer:
    """Its code in ``folder``. ``manage`` is its command line."""

    folder: Path

    @property
    def manage(self) -> tuple[str, str]:
        return sys.executable, str(self.folder / "manage.py")

    @property
    def environment(self) -> dict[str, str]:
        return {"PYTHONPATH": str(self.folder)}

    def describe(self, database: Database) -> None:
        """Its manifest: what the database is now that its migrations have run."""
        with database.connected() as connection:
            live = structure.read(connection)
        self._write(Manifest(live, owners(), frozenset({*history.on_disk(), EXPAND})))

    def contract(self) -> None:
        """One migration more, beside which the code so far must not run."""
        self._migration(CONTRACT, _CONTRACT)
        told = manifest.parse(self._manifest.read_text(encoding="utf-8"))
        table = told.structure.tables[TABLE]
        constraints = {**table.constraints, "later_numbered": Constraint("CHECK ((number >= 1))")}
        tables = {**told.structure.tables, TABLE: replace(table, constraints=constraints)}
        self._write(Manifest(structure.Structure(tables), told.apps, told.migrations | {CONTRACT}))

    @property
    def _manifest(self) -> Path:
        return self.folder / "portal" / "core" / "guard" / "manifests" / "postgresql.json"

    def _write(self, told: Manifest) -> None:
        self._manifest.write_text(told.written(), encoding="utf-8")

    def _migration(self, key: tuple[str, str], text: str) -> None:
        (self.folder / key[0] / "migrations" / f"{key[1]}.py").write_text(text, encoding="utf-8")


def make(folder: Path) -> Newer:
    """With a column more that its own code writes, added by an expand migration."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package)
    shutil.copy(ROOT / "manage.py", folder)
    made = Newer(folder)
    last = max(name for app, name in history.on_disk() if app == EXPAND[0])
    made._migration(EXPAND, _EXPAND.format(last=last, name="later", field=_FIELD.partition("= ")[2]))
    model = folder / "tickets" / "models" / "conversation.py"
    text = model.read_text(encoding="utf-8")
    assert text.count(_BEFORE) == 1
    model.write_text(text.replace(_BEFORE, f"{_BEFORE}    {_FIELD}\n"), encoding="utf-8")
    return made
