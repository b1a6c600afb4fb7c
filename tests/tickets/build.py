"""Tickets, agents and turns, one plain function each."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

from portal.core.clock import now
from tickets.models import CheckRun, Measurement, Merge, Message, Project, Ticket, Turn, Workspace
from workers.models import Agent, AgentVersion, Attempt, AttemptOutput, Job

_numbers = count(1)
BASE, HEAD = "a" * 40, "b" * 40


def agent(name: str = "claude-dev", *, profile: bool = True, adapter: str = "plain", **fields: Any) -> Agent:
    made = Agent.objects.create(name=name, **fields)
    if profile:
        AgentVersion.objects.create(
            agent=made, number=1, adapter=adapter, trusted=True, command=["true"], wall_seconds=60, silence_seconds=60
        )
    return made


def ticket(of: Project, state: str = "open", **fields: Any) -> Ticket:
    """A ticket in any state, past the transitions, with a number that no counter gives."""
    number = 10_000 + next(_numbers)
    fields = {"title": f"Ticket {number}", **fields}
    return Ticket.objects.create(project=of, number=number, key=f"{of.key}-{number}", state=state, **fields)


def attempt(subject: str = "", audience: str = "", output: str = "") -> Attempt:
    job = Job.objects.create(kind="turn", pool="turns", subject=subject, audience=audience, state="succeeded", fence=1)
    made = Attempt.objects.create(job=job, fence=1, worker="w", outcome="succeeded", ended_at=now())
    if output:
        AttemptOutput.objects.create(attempt=made, offset=0, length=len(output.encode()), text=output)
    return made


def turn(of: Ticket, state: str = "done", *, seq: int = 1, output: str = "", **fields: Any) -> Turn:
    if "agent_version" not in fields:
        fields["agent_version"] = AgentVersion.objects.first() or AgentVersion.objects.get(agent=agent())
    fields = {"base_commit": BASE, **fields}
    carrier = attempt(of.subject, of.project.scope, output)
    return Turn.objects.create(ticket=of, seq=seq, attempt=carrier, nonce="n", state=state, **fields)


# What Claude Code prints, as objects of its stream ---------------------------------


def stream(*said: dict[str, Any] | str) -> str:
    """An output of these objects, a line each; a text is a line as it is."""
    return "".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in said)


def text(words: str) -> dict[str, Any]:
    return {"type": "assistant", "message": {"content": [{"type": "text", "text": words}]}}


def piece(words: str) -> dict[str, Any]:
    return {"type": "stream_event", "event": {"delta": {"type": "text_delta", "text": words}}}


def call(name: str, tool: str, **given: Any) -> dict[str, Any]:
    return {
        "type": "assistant",
        "message": {"content": [{"type": "tool_use", "id": name, "name": tool, "input": given}]},
    }


def gave(name: str, words: str, *, is_error: bool = False) -> dict[str, Any]:
    found = {"type": "tool_result", "tool_use_id": name, "content": words, "is_error": is_error}
    return {"type": "user", "message": {"content": [found]}}


def result(words: str, **fields: Any) -> dict[str, Any]:
    return {"type": "result", "subtype": "success", "is_error": False, "result": words, **fields}


# What the portal saw -----------------------------------------------------------------


def measured(of: Turn, *, proven: bool = True, **fields: Any) -> Measurement:
    """What a turn's end left: one commit that changes one file, unless said otherwise."""
    fields = {
        "commits": [{"commit": of.head_commit or HEAD, "subject": "Send first, delete by id and fence"}],
        "commit_count": 1,
        "fork_commit": BASE,
        "target_commit": BASE,
        "files_changed": 1,
        "insertions": 2,
        "deletions": 1,
        "diff": DIFF,
        **fields,
    }
    return Measurement.objects.create(turn=of, proven=proven, **fields)


def check(of: Attempt, n: int = 1, outcome: str = "passed", **fields: Any) -> CheckRun:
    fields = {"command": ["pytest", "-q"], "seconds": 1.5, "exit_code": 0 if outcome == "passed" else 1, **fields}
    return CheckRun.objects.create(attempt=of, n=n, outcome=outcome, **fields)


def repository(of: Project, path: str = "/srv/git/mc") -> Project:
    Project.objects.filter(pk=of.pk).update(repository=path)
    of.refresh_from_db()
    return of


def talk(of: Ticket, operator: Any, reviewer: Any) -> Ticket:
    """A conversation with everything in it: a turn that was read, one that failed, one that runs; notes and a file."""
    from django.core.files.uploadedfile import SimpleUploadedFile

    from tickets import conversation

    def say(author: Any, body: str, **options: Any) -> Message:
        return conversation.post(of, author=author, body=body, **options)[0]

    Ticket.objects.filter(pk=of.pk).update(title="Outbox drain deletes rows it never sent", body=TASK, state="open")
    of.refresh_from_db()
    say(
        reviewer,
        "The drain selects, **deletes**, then sends. A process that dies between the last two loses the batch.",
    )
    first = turn(of, "running", seq=1, output="$ pytest tests/outbox -q\n41 passed\n")
    conversation.take(of, first)
    conversation.acknowledge(first)
    payload = "The drain sends first and deletes by id and fence; all 41 tests pass."
    Turn.objects.filter(pk=first.pk).update(
        state="done", payload=payload, head_commit=HEAD, exit_code=0, ended_at=now(), verdict="A new commit."
    )
    conversation.said(first, payload)
    say(
        operator,
        "Not proven, so back to you: `ci/retry.yml` is not yours to change.\n\n1. Undo that file.\n2. Keep the test.",
    )
    second = turn(of, "running", seq=2)
    conversation.take(of, second)
    conversation.give_back(second)
    Turn.objects.filter(pk=second.pk).update(state="failed", exit_code=137, ended_at=now(), verdict="It was killed.")
    say(reviewer, "The customer asked again on Monday.", internal=True)
    conversation.withdraw(say(operator, "Never mind the metrics."), by=operator)
    third = turn(
        of, "running", seq=3, output="$ git checkout origin/main -- ci/retry.yml\n$ pytest tests/outbox -q\n.."
    )
    conversation.take(of, third)
    Ticket.objects.filter(pk=of.pk).update(state="running", agent_version=third.agent_version)
    log = SimpleUploadedFile("drain.log", b"12:00:01 sent 41\n12:00:02 killed\n", "text/plain")
    say(operator, CODE, files=[log])
    of.refresh_from_db()
    return of


def measured_ticket(of: Ticket, operator: Any, reviewer: Any) -> Ticket:
    """A ticket whose second turn claims more than the portal saw; its agent's output tells what it did."""
    from tickets import conversation

    version = AgentVersion.objects.get(agent=agent("claude-impl", adapter="claude"))
    AgentVersion.objects.filter(pk=version.pk).update(budget_usd=10)
    fields = {"title": "Outbox drain deletes rows it never sent", "body": TASK, "state": "unproven"}
    Ticket.objects.filter(pk=of.pk).update(agent_version=version, **fields)
    of.refresh_from_db()
    Workspace.objects.create(
        ticket=of, host="build-1", path="/srv/work", branch=f"shiproom/{of.key.lower()}", base_commit=BASE
    )
    lost = turn(of, "failed", seq=1, agent_version=version, verdict="Its worker was lost.", ended_at=now())
    Attempt.objects.filter(pk=lost.attempt_id).update(outcome="lost", error="The lease expired at 14:02.")
    conversation.post(of, author=reviewer, body="The crash test is what counts; `ci/` is not yours to change.")
    said = stream(
        {"type": "system", "subtype": "init", "session_id": "7f3a", "model": "opus"},
        text(
            "I read the drain first. The failing test kills the process after `send()` and expects the row to remain."
        ),
        call("t1", "Read", file_path="relay/outbox.py"),
        gave("t1", "def drain(conn, batch):\n    rows = conn.execute(SELECT_DUE, (batch,)).fetchall()\n"),
        call("t2", "Edit", file_path="relay/outbox.py", old_string="conn.execute(DELETE_DUE)", new_string="send(row)"),
        gave("t2", "The file was updated."),
        {"type": "system", "subtype": "permission_denied", "tool_use_id": "t", "tool_name": "Bash", "message": "curl"},
        call("t3", "Bash", command="pytest tests/outbox -q"),
        gave("t3", "tests/outbox/test_crash.py ....F\n1 failed, 40 passed", is_error=True),
        text("Two things are done:\n\n1. rows are **sent first**\n2. the delete names the row's fence"),
        {"type": "news", "of": "a kind that nobody knows"},
        result(
            "Two things are done:\n\n1. rows are **sent first**\n2. the delete names the row's fence",
            total_cost_usd=0.84,
            usage={"input_tokens": 12_400, "output_tokens": 912},
        ),
    )
    payload = "The drain sends first and deletes by id and fence; all 41 tests pass."
    second = turn(
        of, seq=2, agent_version=version, output=said, payload=payload, head_commit=HEAD, exit_code=0,
        ended_at=now(), verdict="DONE, not proven", session_id="7f3a", resumed=True, cost_usd="0.84",
        input_tokens=12_400, output_tokens=912,
    )  # fmt: skip
    conversation.said(second, payload)
    paths = ["ci/retry.yml", "ci/matrix.yml", "docs/a.md", "docs/b.md", "setup.cfg"]
    reasons = [
        "Outside the allowed paths: ci/retry.yml, ci/matrix.yml, docs/a.md and 2 more.",
        "The check “pytest tests/outbox -q” failed with exit code 1: 1 failed, 40 passed.",
    ]
    measured(
        second, proven=False, reasons=reasons, outside=paths, outside_count=5,
        files_changed=4, insertions=5, deletions=3, diff=DIFF + DIFF_MORE,
    )  # fmt: skip
    carrier = Attempt.objects.get(pk=second.attempt_id)
    check(carrier, 1, command=["ruff", "check", "."], summary="All checks passed!", output="All checks passed!\n")
    check(carrier, 2, "failed", command=["pytest", "tests/outbox", "-q"], summary="1 failed, 40 passed",
          output="FAILED tests/outbox/test_crash.py::test_crash\n1 failed, 40 passed\n")  # fmt: skip
    of.refresh_from_db()
    return of


def running_ticket(of: Ticket, reviewer: Any) -> Ticket:
    """A ticket whose agent works: it has said something, and its last call has no result yet."""
    from tickets import conversation

    version = AgentVersion.objects.filter(adapter="claude").first()
    Ticket.objects.filter(pk=of.pk).update(title="Retry with a jitter", state="running", agent_version=version)
    of.refresh_from_db()
    said = stream(
        {"type": "system", "subtype": "init", "session_id": "7f3a", "model": "opus"},
        text("I put the jitter where the wait is computed, and run the tests of the relay:"),
        call("t1", "Grep", pattern="def wait_before"),
        gave("t1", "relay/retry.py:41:def wait_before(n):"),
        call("t2", "Bash", command="pytest tests/relay -q"),
    )
    conversation.post(of, author=reviewer, body="Full jitter, and a cap of ten minutes.")
    first = turn(of, "running", agent_version=version, output=said, session_id="7f3a")
    conversation.take(of, first)
    Attempt.objects.filter(pk=first.attempt_id).update(outcome="running", ended_at=None)
    of.refresh_from_db()
    return of


def merge(of: Ticket, work: Turn, state: str = "queued", **fields: Any) -> Merge:
    """An accepted turn on its way into the target."""
    fields = {"commit": work.head_commit, "strategy": "merge", "target_branch": "main", **fields}
    if state == "merged":
        fields = {"merged_commit": "c" * 40, **fields}
    return Merge.objects.create(ticket=of, turn=work, state=state, **fields)


def sent_back_ticket(of: Ticket, reviewer: Any) -> Ticket:
    """A ticket whose accepted work came back: the merged result fails a check."""
    from tickets import conversation

    version = AgentVersion.objects.filter(adapter="claude").first() or AgentVersion.objects.get(agent=agent())
    fields = {"title": "The relay keeps a dead letter for ever", "state": "needs_person", "agent_version": version}
    Ticket.objects.filter(pk=of.pk).update(**fields)
    of.refresh_from_db()
    done = turn(of, seq=1, agent_version=version, payload="Done.", head_commit=HEAD, exit_code=0, ended_at=now(),
                verdict="DONE, measured", output=stream(text(DEAD_LETTER), result(DEAD_LETTER)))  # fmt: skip
    conversation.said(done, DEAD_LETTER)
    measured(done)
    check(Attempt.objects.get(pk=done.attempt_id), summary="41 passed")
    again = attempt(of.subject, of.project.scope)
    red = {"summary": "2 failed, 39 passed", "output": "FAILED tests/test_letters.py\n2 failed, 39 passed\n"}
    check(again, 1, "failed", command=["pytest", "-q"], **red)
    detail = "Merged with the target branch as it is now, the work fails the project's checks:\n\nThe check failed."
    merge(of, done, "sent_back", attempt=again, detail=detail, accepted_by=reviewer, ended_at=now())
    conversation.told(of, detail)
    of.refresh_from_db()
    return of


DIFF = """diff --git a/relay/outbox.py b/relay/outbox.py
index 1111111..2222222 100644
--- a/relay/outbox.py
+++ b/relay/outbox.py
@@ -88,3 +88,4 @@ def drain(conn, batch)
 def drain(conn, batch):
-    conn.execute(DELETE_DUE, (batch,))
+    for row in conn.execute(CLAIM_DUE, (batch,)):
+        send(row)
 # end
"""
DIFF_MORE = """diff --git a/ci/retry.yml b/ci/retry.yml
new file mode 100644
--- /dev/null
+++ b/ci/retry.yml
@@ -0,0 +1,2 @@
+retry: 3
+why: "<b>flaky</b> tests, and a line that is so long that no screen has room for it, whatever its width may be today"
diff --git a/docs/old name.md b/docs/new name.md
similarity index 90%
rename from docs/old name.md
rename to docs/new name.md
--- a/docs/old name.md\t
+++ b/docs/new name.md\t
@@ -1,3 +1,2 @@
 # Outbox
-Old words.
-More old words.
+New words.
diff --git a/docs/flow.png b/docs/flow.png
index 1111111..2222222 100644
Binary files a/docs/flow.png and b/docs/flow.png differ
"""
DEAD_LETTER = "A dead letter is dropped after 30 days."
TASK = """The drain selects, deletes, then sends. Send first, and delete by id **and** fence:
a crash may repeat a delivery, never lose one.

- `relay/outbox.py`, lines 88 to 92
- see <https://example.org/outbox>
"""
CODE = """When this passes, also add the row count of each drain to the metrics:

```python
def drain(conn, batch):
    for row in conn.execute(CLAIM_DUE, (batch,)):
        send(row)
        conn.execute(DELETE_SENT, (row.id, row.fence))  # by id and fence, so that a crash repeats and never loses
```

| metric | labels |
|---|---|
| `drain_rows` | `lane`, `outcome` |
"""
