"""Commands as people write them."""

from __future__ import annotations

import json

import pytest

from deployments.intake import BadCommand, command


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("./deploy\nweb\n", ["./deploy", "web"]),
        ("  ./deploy \n\n two words \n", ["./deploy", "two words"]),
        ('["./deploy", "two words", ""]', ["./deploy", "two words", ""]),
        ('\n [\n"a"\n]\n', ["a"]),
        ("$(rm -rf /); true", ["$(rm -rf /); true"]),
    ],
)
def test_a_command_is_a_list_of_arguments(text: str, arguments: list[str]) -> None:
    assert command(text) == arguments


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "there is none"),
        ("[]", "there is none"),
        ('[" "]', "there is none"),
        ('["a", 1]', "Argument 2 is 1; every argument is text in quotes."),
        ('["a", ["b"]]', "Argument 2 is ["),
        ("['a']", "at line 1, column 2"),
        ('["a"', "at line 1, column 5"),
        ('["a\\u0000"]', "NUL"),
        ('["\\ud800"]', "half a character"),
        ("[" * 100_000, "none"),
        ("[" + "9" * 5000 + "]", "none"),
        (json.dumps(["x"] * 101), "At most 100 arguments (you sent 101)."),
        ("x" * 2001, "Argument 1 has 2,001 characters; at most 2,000."),
    ],
)
def test_what_is_no_command_says_where(text: str, sentence: str) -> None:
    with pytest.raises(BadCommand) as caught:
        command(text)
    assert sentence in str(caught.value)


def test_a_command_at_its_limits_is_kept() -> None:
    assert len(command("x\n" * 100)) == 100
    assert command("x" * 2000) == ["x" * 2000]
