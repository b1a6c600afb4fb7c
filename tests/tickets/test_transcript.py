"""What an agent said and did, out of its stored output."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.tickets import build
from tickets import transcript
from tickets.models import Turn
from tickets.transcript import Did, Noted, Raw, Said
from workers.agents.adapters import ADAPTERS
from workers.models import AttemptOutput

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = pytest.mark.django_db


def turn_of(world: World, output: str, state: str = "done", adapter: str = "claude") -> Turn:
    made = build.turn(build.ticket(world.mc), state, output=output)
    made.agent_version.adapter = adapter
    return made


def read(world: World, *said: dict[str, Any] | str, state: str = "done", adapter: str = "claude") -> list[Any]:
    return transcript.of(turn_of(world, build.stream(*said), state, adapter)).entries


def shapes(entries: list[Any]) -> list[tuple[str, str]]:
    return [(entry.kind, getattr(entry, "shown", "") or getattr(entry, "words", "") or entry.name) for entry in entries]


# What it says -----------------------------------------------------------------------


def test_words_in_pieces_are_one_text_until_the_whole_comes(world: World) -> None:
    pieces = [build.piece("The first "), {"type": "stream_event", "event": {"type": "x"}}, build.piece("two files")]
    (said, raw) = read(world, *pieces, state="running")
    assert isinstance(said, Said) and said.shown == "The first two files"
    assert isinstance(raw, Raw)
    found = [entry for entry in read(world, *pieces, build.text("The first two files pass.")) if entry.kind == "said"]
    assert [entry.shown for entry in found] == ["The first two files pass."]


def test_the_line_that_signals_is_told_and_not_printed(world: World) -> None:
    turn = turn_of(world, "")
    line = json.dumps({"mc_signal": "DONE", "ticket": turn.ticket.key, "nonce": turn.nonce, "payload": "All of it"})
    output = build.stream(build.text(f"It works.\n{line}"), build.result("x"))
    AttemptOutput.objects.create(attempt=turn.attempt, offset=0, length=len(output), text=output)
    entries = transcript.of(turn).entries
    assert shapes(entries)[:2] == [("said", "It works."), ("noted", "Says DONE.")]
    assert turn.nonce not in entries[0].shown


def test_a_signal_of_another_turn_is_told_as_none(world: World) -> None:
    line = json.dumps({"mc_signal": "DONE", "ticket": "MC-1", "nonce": "other", "payload": "x"})
    notes = [entry for entry in read(world, build.text(line)) if isinstance(entry, Noted)]
    assert notes[0].tone == "bad" and "does not count" in notes[0].words


# What it does -------------------------------------------------------------------------


def test_a_call_has_its_argument_and_its_result(world: World) -> None:
    calls = [
        build.call("a", "Bash", command="pytest  -q\nnow"),
        build.call("b", "Read", limit=3, file_path="relay/outbox.py"),
        build.call("c", "Odd", number=7, note="see"),
    ]
    did = read(world, *calls, build.gave("a", "41 passed"), build.gave("b", "no such file", is_error=True))
    did = [entry for entry in did if isinstance(entry, Did)]
    assert [(entry.name, entry.argument, entry.outcome, entry.result) for entry in did] == [
        ("Bash", "pytest -q now", "ok", "41 passed"),
        ("Read", "relay/outbox.py", "failed", "no such file"),
        ("Odd", "see", "interrupted", ""),
    ]


def test_a_call_runs_until_its_turn_has_ended(world: World) -> None:
    (did,) = read(world, build.call("a", "Bash", command="x"), state="running")
    assert did.outcome == "running"


def test_what_an_edit_replaces_is_shown_line_by_line(world: World) -> None:
    (did, _) = read(world, build.call("a", "Edit", file_path="x.py", old_string="a\nb", new_string="c"))
    assert did.change == [("del", "-a"), ("del", "-b"), ("add", "+c")]


def test_ids_stay_while_more_comes(world: World) -> None:
    first = [build.text("Begin."), build.call("a", "Bash", command="x"), build.call("b", "Bash", command="y")]
    before = [entry.id for entry in read(world, *first, state="running")]
    after = [entry.id for entry in read(world, *first, build.gave("a", "1"), build.text("More."), state="running")]
    assert after[: len(before)] == before
    assert len(set(after)) == len(after)


# Beside it ----------------------------------------------------------------------------


def test_trouble_refusals_and_use_are_notes(world: World) -> None:
    entries = read(
        world,
        {"type": "system", "subtype": "api_retry", "error": "overloaded", "error_status": 529},
        {"type": "system", "subtype": "permission_denied", "tool_use_id": "t", "tool_name": "Bash", "message": "no"},
        build.result("Done.", total_cost_usd=0.84, usage={"input_tokens": 1200, "output_tokens": 25}),
    )
    notes = [(entry.tone, entry.words) for entry in entries if isinstance(entry, Noted)]
    assert notes[:2] == [
        ("warn", "overloaded (status 529) It tries again."),
        ("warn", "Asks for permission, or was refused it: Bash: no"),
    ]
    assert any("Tokens: 1,200 in, 25 out" in words for _, words in notes)
    assert any("$0.84" in words for _, words in notes)
    assert shapes(entries)[-1] == ("said", "Done.")


def test_an_output_without_an_end_says_so_once_the_turn_has_ended(world: World) -> None:
    assert shapes(read(world, build.text("Half"), state="running")) == [("said", "Half")]
    assert "ends without" in read(world, build.text("Half"))[-1].words


def test_what_is_not_understood_is_folded_as_it_was_printed(world: World) -> None:
    (raw, *_) = read(world, "[stderr]", "Segmentation fault", {"type": "news", "of": "tomorrow"})
    assert isinstance(raw, Raw)
    assert raw.shown.splitlines()[:2] == ["[stderr]", "Segmentation fault"] and "tomorrow" in raw.shown


# Bounds ---------------------------------------------------------------------------------


def test_a_beginning_in_the_middle_of_a_line_makes_no_junk(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    turn = turn_of(world, "")
    half = json.dumps(build.text("lost")) + "\n"
    whole = json.dumps(build.text("kept")) + "\n"
    for text in (half[:50], half[50:] + whole):
        offset = sum(AttemptOutput.objects.values_list("length", flat=True))
        AttemptOutput.objects.create(attempt=turn.attempt, offset=offset, length=len(text), text=text)
    monkeypatch.setattr(transcript, "READ_BYTES", len(half[50:] + whole))
    found = transcript.of(turn)
    assert [entry.shown for entry in found.entries if entry.kind == "said"] == ["kept"]
    assert not [entry for entry in found.entries if isinstance(entry, Raw)]
    assert found.source.cut == 50


def test_a_line_that_is_half_written_waits_for_its_end(world: World) -> None:
    turn = turn_of(world, build.stream(build.text("One.")) + '{"type": "assistant", "mess', "running")
    assert shapes(transcript.of(turn).entries) == [("said", "One.")]


def test_the_newest_entries_are_shown_and_the_others_counted(world: World) -> None:
    found = transcript.of(turn_of(world, build.stream(*(build.text(f"n {n}") for n in range(150))), "running"))
    assert (len(found.entries), found.left_out) == (transcript.SHOWN, 50)
    assert found.entries[-1].shown == "n 149"


def test_long_texts_inputs_and_outputs_are_cut_with_a_word(world: World) -> None:
    said, did, _ = read(
        world,
        build.text("x" * (transcript.TEXT_CHARS + 5)),
        build.call("a", "Write", content="y" * 100_000),
        build.gave("a", "begin" + "z" * 100_000 + "end"),
    )
    assert (len(said.shown), said.more) == (transcript.TEXT_CHARS, 5)
    assert len(did.input) < 6_000 and "characters are left out here" in did.input
    assert did.result.startswith("begin") and did.result.endswith("end") and len(did.result) < 6_000


def test_plain_output_is_no_transcript() -> None:
    assert [name for name in ADAPTERS if not transcript.is_structured(name)] == ["plain"]
    assert not transcript.is_structured("gone")


# Real ones --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(set(ADAPTERS) - {"plain"}))
def test_recorded_outputs_are_talk_and_deeds(world: World, shared_dir: Path, name: str) -> None:
    recordings = [
        path
        for path in sorted((shared_dir / "agents" / "transcripts" / name).glob("*.jsonl"))
        if not path.name.endswith(".stdin.jsonl")
    ]
    if not recordings:
        pytest.skip("the recordings are not there")
    for path in recordings:
        turn = turn_of(world, path.read_text(errors="replace").replace("\0", "\ufffd"), adapter=name)
        entries = transcript.of(turn).entries
        assert entries, path.name
        assert len({entry.id for entry in entries}) == len(entries), path.name
        if path.stem == "b_shell":
            (did,) = [entry for entry in entries if isinstance(entry, Did)]
            assert "echo hi" in did.argument and did.outcome == "ok" and "hi" in did.result
