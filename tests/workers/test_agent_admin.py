"""Agents in the admin: a profile is checked where it is typed, tried with a button, and its breaker is seen."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from django.urls import reverse

from portal.core import secrets
from portal.core.unit import unit_of_work
from tests.signing_in import sign_in, static_root
from workers.agents import breakers, containment
from workers.agents.adapters import ADAPTERS
from workers.models import Agent, AgentVersion, Breaker, Job, Trial

if TYPE_CHECKING:
    from portal.core.models import User
    from tests.factories import World

pytestmark = pytest.mark.pages

__all__ = ["sign_in", "static_root"]
ADD = "admin:workers_agent_add"
PROFILE: dict[str, Any] = {
    "name": "dev",
    "enabled": "on",
    "concurrency": 2,
    "adapter": "claude",
    "command": '["claude", "-p"]',
    "resume": '["claude", "-p", "--resume", "{session}"]',
    "environment": '["PATH", "LANG"]',
    "secrets": "{}",
    "wall_seconds": 600,
    "silence_seconds": 60,
    "output_bytes": 100_000,
    "max_failures": 4,
    "budget_usd": "2.50",
    "containment": "plain",
    "network": "open",
    "trusted": "on",
    "versions-TOTAL_FORMS": 0,
    "versions-INITIAL_FORMS": 0,
}


@pytest.fixture
def as_admin(world: World, sign_in: Callable[[User | None], Client]) -> Client:
    return sign_in(world.admin)


@pytest.fixture
def agent(as_admin: Client) -> Agent:
    assert as_admin.post(reverse(ADD), PROFILE).status_code == 302
    return Agent.objects.get()


def sent(client: Client, **changes: Any) -> dict[str, list[str]]:
    """The errors of the form, by field; nothing was made."""
    answer = client.post(reverse(ADD), PROFILE | changes)
    assert answer.status_code == 200
    assert not Agent.objects.exists()
    errors: dict[str, list[str]] = answer.context["adminform"].form.errors
    for name, value in changes.items():
        assert str(answer.context["adminform"].form[name].value()) == str(value), "what was typed stays"
    return {name: list(said) for name, said in errors.items()}


def test_a_profile_is_kept_as_it_was_typed(agent: Agent) -> None:
    version = AgentVersion.objects.get(agent=agent)
    assert version.resume == ["claude", "-p", "--resume", "{session}"]
    assert (version.output_bytes, version.max_failures, str(version.budget_usd)) == (100_000, 4, "2.50")


def test_a_new_agent_has_no_home_of_the_workers_and_limits_to_begin_with(as_admin: Client) -> None:
    form = as_admin.get(reverse(ADD)).context["adminform"].form
    assert form["environment"].value() == '["PATH", "LANG"]'
    assert (form["output_bytes"].value(), form["max_failures"].value()) == (8_388_608, 3)


@pytest.mark.parametrize("adapter", sorted(ADAPTERS))
def test_an_adapter_without_a_command_is_refused_with_its_own(as_admin: Client, adapter: str) -> None:
    [said] = sent(as_admin, adapter=adapter, command="[]")["command"]
    own = ADAPTERS[adapter].launch.command
    assert said == f"A command is needed. That of {adapter} is {json.dumps(own)}" if own else "a list of" in said


def test_how_an_adapter_resumes_is_told_beside_the_field(as_admin: Client, agent: Agent) -> None:
    change = reverse("admin:workers_agent_change", args=[agent.pk])
    told = as_admin.get(change).context["adminform"].form.fields["resume"].help_text
    assert json.dumps(ADAPTERS["claude"].launch.resume) in told
    assert "codex" not in told


@pytest.mark.parametrize(
    ("field", "least", "most"),
    [
        ("wall_seconds", 5, 3600),
        ("silence_seconds", 5, 900),
        ("output_bytes", 1024, 8_388_608),
        ("max_failures", 1, 100),
    ],
)
def test_a_number_may_be_its_limit_and_not_beyond(as_admin: Client, field: str, least: int, most: int) -> None:
    wide = {"wall_seconds": 3600, "silence_seconds": 5}
    low, high = wide | {field: least - 1}, wide | {field: most + 1}
    assert f"At least {least:,} (you gave {least - 1:,})." in sent(as_admin, **low)[field]
    assert f"At most {most:,} (you gave {most + 1:,})." in sent(as_admin, **high)[field]
    for number, value in enumerate((least, most)):
        posted = PROFILE | wide | {field: value, "name": f"dev-{number}"}
        assert as_admin.post(reverse(ADD), posted).status_code == 302


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("command", '["a", 1]', "A list of texts is needed"),
        ("command", '["a\\u0000b"]', "Number 1 holds a character that no process can be given."),
        ("command", json.dumps(["x" * 4001]), "Number 1 has 4,001 characters; at most 4,000."),
        ("command", json.dumps(["x"] * 101), "At most 100 (you gave 101)."),
        ("command", "claude -p", "Enter a valid JSON."),
        ("command", "[" * 100_000, "It is nested too deeply."),
        ("command", "x" * 500_001, "At most 500,000 characters (you gave 500,001)."),
        ("secrets", f'{{"KEY": {"9" * 5000}}}', "It holds a number that no database keeps."),
        ("resume", '["claude", "--continue"]', 'It needs "{session}"'),
        ("environment", '["A B"]', "'A B' is no variable's name"),
        ("environment", '["1A"]', "'1A' is no variable's name"),
        ("environment", '["A=B"]', "'A=B' is no variable's name"),
        ("environment", '["SHIPROOM_NONCE"]', "SHIPROOM_NONCE is set by the portal itself"),
        ("secrets", '{"SHIPROOM_X": "key"}', "SHIPROOM_X is set by the portal itself"),
        ("secrets", '{"KEY-1": "key"}', "'KEY-1' is no variable's name"),
        ("secrets", '{"KEY": "absent", "OTHER": "key"}', "Not in the secret store: absent."),
        ("secrets", '{"KEY": 1}', "names of secrets are needed"),
        ("budget_usd", "0", "At least 0.01 (you gave 0)."),
        ("budget_usd", "1000000", "6 digits before the decimal point"),
        ("budget_usd", "0.001", "2 decimal places"),
        ("silence_seconds", "601", "It cannot be longer than the whole turn."),
        ("turn_budget_usd", "0", "At least 0.01 (you gave 0)."),
        ("day_budget_usd", "0.001", "2 decimal places"),
        ("model", "opus", 'The arguments of claude are ["--model", "{model}"].'),
        ("model", "-x", "begins with no -"),
        ("model", "x" * 101, "at most 100 characters"),
        ("version_command", '["a", 1]', "A list of texts is needed"),
        ("wrapper", '["podman", "{command}"]', "Only the containment Wrapper has one."),
        ("readable", '["relative"]', "'relative' is no plain absolute path."),
        ("readable", '["/a/../etc"]', "'/a/../etc' is no plain absolute path."),
        ("readable", '["/"]', "Of a box that shows everything nothing is left"),
        ("readable", '["/opt"]', "Only Bubblewrap shows paths."),
        ("network", "none", "Only Bubblewrap cuts it off here"),
        ("network", "some", "Select a valid choice."),
        ("containment", "jail", "Select a valid choice."),
        ("login", '{"../a": "key"}', "'../a' is no path below HOME"),
        ("login", '{"/a": "key"}', "'/a' is no path below HOME"),
        ("login", '{"a": "absent"}', "Not in the secret store: absent."),
        ("login", '{"a": 1}', "Paths below HOME and names of secrets"),
        ("login", '{"a/b": "key", "a": "key"}', "'a' cannot be a file and the folder of 'a/b'."),
        ("login", json.dumps({f"f{n}": "key" for n in range(21)}), "At most 20 files (you gave 21)."),
        ("limits", '["open_files"]', "Names and numbers are needed"),
        ("limits", '{"files": 5}', "'files' is no bound; there are: cpu_seconds, file_bytes, open_files"),
        ("limits", '{"open_files": "5"}', "open_files is a whole number."),
        ("limits", '{"open_files": true}', "open_files is a whole number."),
        ("limits", '{"open_files": 31}', "open_files is 32 to 1,048,576 (you gave 31)."),
        ("limits", '{"memory_bytes": 16777215}', "memory_bytes is 16,777,216 to"),
    ],
)
def test_what_is_wrong_is_said_beside_it(as_admin: Client, field: str, value: str, said: str) -> None:
    secrets.store("key", "value")
    assert said in " ".join(sent(as_admin, **{field: value})[field])


def test_a_secret_that_is_stored_may_be_named(as_admin: Client) -> None:
    secrets.store("key", "value")
    posted = PROFILE | {"secrets": '{"API_KEY": "key", "_x1": "key"}'}
    assert as_admin.post(reverse(ADD), posted).status_code == 302


class TestContainment:
    def test_what_is_typed_is_kept_and_what_it_means_stands_on_the_page(self, as_admin: Client) -> None:
        secrets.store("key", "value")
        typed = {
            "model": "opus-9",
            "command": '["claude", "-p", "--model", "{model}"]',
            "version_command": '["claude", "-v"]',
            "containment": "bubblewrap",
            "network": "none",
            "readable": '["/opt/tools"]',
            "trusted": "",
            "login": '{".claude/.credentials.json": "key"}',
            "limits": '{"open_files": 32, "cpu_seconds": 604800}',
            "turn_budget_usd": "0.01",
            "day_budget_usd": "40",
        }
        assert as_admin.post(reverse(ADD), PROFILE | typed).status_code == 302
        made = AgentVersion.objects.get()
        assert (made.model, made.containment, made.network, made.trusted) == ("opus-9", "bubblewrap", "none", False)
        assert (made.version_command, made.readable) == (["claude", "-v"], ["/opt/tools"])
        assert made.login == {".claude/.credentials.json": "key"}
        assert made.limits == {"open_files": 32, "cpu_seconds": 604800}
        assert (str(made.turn_budget_usd), str(made.day_budget_usd)) == ("0.01", "40.00")
        page = as_admin.get(reverse("admin:workers_agent_change", args=[made.agent_id])).content.decode()
        assert "sees the system&#x27;s programs, its worktree and its own home" in page
        assert "It has no network" in page

    def test_plain_says_what_it_can_read(self, as_admin: Client, agent: Agent) -> None:
        page = as_admin.get(reverse("admin:workers_agent_change", args=[agent.pk])).content.decode()
        assert "Plain: runs as the portal&#x27;s user, and can read its database, key and broker" in page

    @pytest.mark.parametrize(("user", "refused"), [(0, True), (1000, False)])
    def test_as_root_plain_wants_to_be_trusted(
        self, as_admin: Client, monkeypatch: pytest.MonkeyPatch, user: int, refused: bool
    ) -> None:
        monkeypatch.setattr(containment, "is_root", lambda: user == 0)
        posted = {name: value for name, value in PROFILE.items() if name != "trusted"}
        answer = as_admin.post(reverse(ADD), posted)
        assert answer.status_code == (200 if refused else 302)
        if refused:
            [said] = answer.context["adminform"].form.errors["trusted"]
            assert said.startswith("The portal runs as root, and so would this agent.")

    @pytest.mark.parametrize("wrapper", ["[]", '["podman"]', '["sh", "-c {command}"]', '["{command}", "{command}"]'])
    def test_a_wrapper_needs_the_place_of_the_command_once(self, as_admin: Client, wrapper: str) -> None:
        [said] = sent(as_admin, containment="wrapper", wrapper=wrapper)["wrapper"]
        assert said == 'It needs "{command}" once, as an element of its own.'

    def test_a_box_shows_nothing_of_the_portals_data_and_no_home_of_the_workers(
        self, as_admin: Client, settings: Any
    ) -> None:
        inside = json.dumps([str(settings.DATA_DIR / "keys")])
        [said] = sent(as_admin, containment="bubblewrap", readable=inside)["readable"]
        assert "lies in the portal's own data" in said
        [said] = sent(as_admin, containment="bubblewrap", environment='["HOME"]')["environment"]
        assert said == "In a box it has a home of its own: take HOME out."

    def test_a_place_for_a_model_wants_one(self, as_admin: Client) -> None:
        errors = sent(as_admin, command='["claude", "--model", "{model}"]')
        assert errors["model"] == ['The command has a place for it, "{model}": name one, or take that out.']


class TestTrial:
    def test_a_button_queues_one_and_the_page_tells_of_it(self, as_admin: Client, agent: Agent) -> None:
        change = reverse("admin:workers_agent_change", args=[agent.pk])
        assert "It was never tried." in as_admin.get(change).content.decode()
        deed = reverse("admin:workers_agent_do_try", args=[agent.pk])
        assert as_admin.post(deed).status_code == 302
        trial = Trial.objects.get()
        page = as_admin.get(change).content.decode()
        assert reverse("admin:workers_trial_change", args=[trial.pk]) in page
        assert "queued" in page
        refused = as_admin.post(deed)
        assert refused.status_code == 409
        assert "A trial of dev v1 is under way" in refused.content.decode()
        assert Trial.objects.count() == 1

    def test_its_own_page_leads_to_its_output(self, as_admin: Client, agent: Agent) -> None:
        as_admin.post(reverse("admin:workers_agent_do_try", args=[agent.pk]))
        page = as_admin.get(reverse("admin:workers_trial_change", args=[Trial.objects.get().pk])).content.decode()
        assert reverse("job", args=[Job.objects.get().pk]) in page

    def test_what_was_seen_is_a_list_on_both_pages(self, as_admin: Client, agent: Agent) -> None:
        steps = [{"ok": True, "text": "It started."}, {"ok": False, "text": "It made no <commit>."}, {"ok": None}]
        trial = Trial.objects.create(agent_version=agent.versions.get(), state="failed", verdict="No.", steps=steps)
        for address in (("agent", agent.pk), ("trial", trial.pk)):
            page = as_admin.get(reverse(f"admin:workers_{address[0]}_change", args=[address[1]])).content.decode()
            assert "<ol><li>✓ It started.</li><li>✗ It made no &lt;commit&gt;.</li><li>· </li></ol>" in page

    def test_the_newest_are_shown_and_a_cut_is_said(self, as_admin: Client, agent: Agent) -> None:
        version = agent.versions.get()
        change = reverse("admin:workers_agent_change", args=[agent.pk])
        Trial.objects.bulk_create(
            Trial(agent_version=version, state="failed", verdict=f"verdict {n};") for n in range(10)
        )
        assert "Older ones" not in as_admin.get(change).content.decode()
        Trial.objects.create(agent_version=version, state="failed", verdict="verdict 10;")
        page = as_admin.get(change).content.decode()
        assert "Older ones are under Trials." in page
        assert "verdict 0;" not in page
        assert page.index("verdict 10;") < page.index("verdict 9;")


class TestBreaker:
    @pytest.fixture
    def breaker(self, agent: Agent, settings: Any) -> Breaker:
        settings.LIMITS = settings.LIMITS | {"BREAKER_FAILURES": 1}
        with unit_of_work():
            breakers.bad(agent.versions.get(), "The agent exited with code 1.")
        return Breaker.objects.get()

    def test_its_standing_is_a_sentence_above_the_agent(self, as_admin: Client, agent: Agent, breaker: Breaker) -> None:
        for address in (("agent", agent.pk), ("breaker", breaker.pk)):
            answer = as_admin.get(reverse(f"admin:workers_{address[0]}_change", args=[address[1]]))
            said = answer.context["standing"]
            assert said.startswith(
                "Turns of dev v1 wait after 1 failure of its own: The agent exited with code 1. One tries again at "
            )

    def test_a_person_closes_it_with_a_reason(self, as_admin: Client, agent: Agent, breaker: Breaker) -> None:
        deed = reverse("admin:workers_agent_do_close_breaker", args=[agent.pk])
        assert as_admin.post(deed, {"reason": ""}).status_code == 422
        assert as_admin.post(deed, {"reason": "The key was renewed."}).status_code == 302
        breaker.refresh_from_db()
        assert breaker.state == "closed"
        page = as_admin.get(reverse("admin:workers_agent_change", args=[agent.pk]))
        assert page.context["standing"] == ""
        assert "Close the breaker" not in page.content.decode()

    def test_nobody_else_may(
        self, world: World, sign_in: Callable[[User | None], Client], agent: Agent, breaker: Breaker
    ) -> None:
        deed = reverse("admin:workers_agent_do_close_breaker", args=[agent.pk])
        assert sign_in(world.owner).post(deed, {"reason": "x"}).status_code in {302, 403}
        breaker.refresh_from_db()
        assert breaker.state == "open"
