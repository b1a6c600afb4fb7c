"""``manage.py verdict KEY [COMMIT]``: may this commit ship? The exit code says it."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from deployments import judging
from portal.core import cause
from portal.core.lifecycle import Refused
from portal.core.quoting import plain
from tickets import policy
from tickets.models import Project
from workers.failures import JobFailed


class Command(BaseCommand):
    help = (
        "Judge a commit, branch or tag of a project by its policy and its findings as they are now."
        " Exit code 0: ship; 3: ship after fixes that are there and not in it; 4: do not ship; 2: it cannot be judged."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("project", metavar="KEY")
        parser.add_argument("commit", nargs="?", default="", metavar="COMMIT", help="empty: the target branch")
        parser.add_argument("--json", action="store_true", help="print the verdict as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        key, asked = options["project"].strip().upper(), options["commit"].strip()
        project = Project.objects.filter(key=key).first()
        if project is None:
            raise CommandError(f"There is no project {ascii(key)}.", returncode=2)
        if problem := policy.branch_problem(asked):
            raise CommandError(problem, returncode=2)
        with cause.acting(cause.Actor("command", "verdict", "manage.py verdict")):
            try:
                verdict = judging.now(project, asked)
            except (JobFailed, Refused) as refusal:
                raise CommandError(str(refusal), returncode=2) from refusal
        self._print(verdict, as_json=options["json"])
        raise SystemExit(judging.EXIT_CODES[verdict.Answer(verdict.answer)])

    def _print(self, verdict: Any, *, as_json: bool) -> None:
        if as_json:
            names = ("commit", "answer", "policy", "digest", "reasons", "blocking")
            self.stdout.write(json.dumps({name: getattr(verdict, name) for name in names}, ensure_ascii=False))
            return
        self.stdout.write(f"{verdict.commit[:12] or 'No commit'}: {verdict.get_answer_display()}.")
        for reason in verdict.reasons:
            self.stdout.write(f"- {plain(reason['text'])} To lift: {plain(reason['lift'])}.")
        if verdict.untold:
            self.stdout.write(f"And {verdict.untold} more.")
