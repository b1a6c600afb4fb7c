"""What stands around an agent's process, and what a box shows of the machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from workers.agents import containment, programs
from workers.agents.containment import Mounts
from workers.failures import BadInput
from workers.models import Agent, AgentVersion

pytestmark = pytest.mark.once


def profile(**changes: Any) -> AgentVersion:
    fields = {"agent": Agent(name="dev"), "number": 1, "adapter": "plain", "command": ["agent"], **changes}
    return AgentVersion(**fields)


@pytest.fixture
def box(tmp_path: Path, settings: Any) -> Any:
    """``box(shell, **profile)`` runs a shell's command in a box and returns all that it wrote."""
    settings.DATA_DIR = tmp_path / "data"
    cwd, home = settings.DATA_DIR / "workspaces" / "MC-1", settings.DATA_DIR / "homes" / "MC-1" / "dev"
    for folder in (cwd, home):
        folder.mkdir(parents=True)

    def run(command: str, mounts: Mounts | None = None, **changes: Any) -> str:
        version = profile(containment="bubblewrap", network="none", **changes)
        environment = {"PATH": os.environ["PATH"], "HOME": str(home)}
        argv = containment.contained(
            version, ["/bin/sh", "-c", command], cwd=cwd, home=home, environment=environment, mounts=mounts
        )
        done = subprocess.run(argv, env=environment, cwd=cwd, capture_output=True, text=True, timeout=20)
        return done.stdout + done.stderr

    run.cwd, run.home, run.data = cwd, home, settings.DATA_DIR  # type: ignore[attr-defined]
    return run


class TestBox:
    def test_its_user_is_nobody_and_has_no_capability(self, box: Any) -> None:
        said = box(
            "id -u; id -un; hostname; grep -E 'CapEff|CapBnd|NoNewPrivs' /proc/self/status; ls /proc | grep -c ^[0-9]"
        )
        assert said.split() == [
            *("65534", "nobody", "agent"),
            *("CapEff:", "0" * 16, "CapBnd:", "0" * 16, "NoNewPrivs:", "1"),
            said.split()[-1],
        ]
        assert int(said.split()[-1]) < 8, "the machine's processes are not there"

    def test_it_writes_its_worktree_and_its_home_and_nothing_that_lasts_beside_them(self, box: Any) -> None:
        places = f"{box.cwd}/a {box.home}/b /tmp/c /usr/d /etc/e /f /dev/g {box.data}/h {Path(__file__).parent}/i"
        said = box(f'for p in {places}; do (echo x > $p) 2>/dev/null && echo "$p"; done; exit 0')
        assert said.split() == [f"{box.cwd}/a", f"{box.home}/b", "/tmp/c", f"{box.data}/h"]
        assert (box.cwd / "a").read_text() == (box.home / "b").read_text() == "x\n"
        assert not Path("/tmp/c").exists()
        assert not (box.data / "h").exists()

    def test_the_portals_data_is_covered_where_a_path_around_it_may_be_read(self, box: Any, tmp_path: Path) -> None:
        (box.data / "keys").mkdir()
        (box.data / "keys" / "secret_key").write_text("canary")
        (tmp_path / "beside").write_text("seen")
        said = box(f"cat {tmp_path}/beside; cat {box.data}/keys/secret_key", readable=[str(tmp_path)])
        assert said.startswith("seen")
        assert "canary" not in said

    def test_the_settings_of_the_kernel_are_nobodys(self, box: Any) -> None:
        said = box("find /proc/sys /proc/sysrq-trigger /sys -type f -writable 2>/dev/null | head -3; echo over")
        assert said == "over\n"

    def test_its_memory_has_an_end(self, box: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(containment, "SCRATCH_BYTES", 1_048_576)
        said = box("for d in /tmp /dev/shm /run; do head -c 3000000 /dev/zero > $d/x; stat -c %s $d/x; done")
        assert [int(line) <= 1_048_576 for line in said.split("\n") if line.isdecimal()] == [True] * 3

    def test_it_ends_with_all_that_it_started(self, box: Any) -> None:
        box("setsid sleep 299.77712 & (setsid sleep 299.77712 &) ; exit 0")
        assert not [entry for entry in Path("/proc").glob("[0-9]*/cmdline") if b"299.77712" in _read(entry)]

    def test_what_is_mounted_beside_is_as_it_was_said(self, box: Any, tmp_path: Path) -> None:
        for name in ("written", "read", "there"):
            (tmp_path / name).mkdir()
        (tmp_path / "here").mkdir()
        (tmp_path / "here" / "file").write_text("from elsewhere")
        mounts = Mounts((tmp_path / "written",), (tmp_path / "read",), ((tmp_path / "here", tmp_path / "there"),))
        said = box(
            f"echo 1 > {tmp_path}/written/x; echo 1 > {tmp_path}/read/x; cat {tmp_path}/there/file", mounts=mounts
        )
        assert (tmp_path / "written" / "x").exists()
        assert not (tmp_path / "read" / "x").exists()
        assert "from elsewhere" in said

    def test_a_path_that_is_not_there_is_named(self, box: Any) -> None:
        with pytest.raises(BadInput, match="/opt/absent, which the agent may read, is not there"):
            box("true", readable=["/opt/absent"])

    def test_without_bubblewrap_it_says_what_to_install(self, box: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
        with pytest.raises(BadInput, match="apt install bubblewrap"):
            box("true")


class TestPlain:
    @pytest.mark.parametrize(("user", "trusted", "runs"), [(0, False, False), (0, True, True), (1000, False, True)])
    def test_as_root_it_runs_only_for_a_profile_that_is_trusted(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, user: int, trusted: bool, runs: bool
    ) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: user)
        version = profile(trusted=trusted)
        if runs:
            assert containment.contained(version, ["a"], cwd=tmp_path, home=tmp_path, environment={}) == ("a",)
            return
        with pytest.raises(BadInput, match="runs as root.*mark its profile as trusted"):
            containment.contained(version, ["a"], cwd=tmp_path, home=tmp_path, environment={})


def test_a_wrapper_has_the_whole_command_in_the_place_of_one_element() -> None:
    version = profile(
        containment="wrapper", wrapper=["podman", "-v", "{cwd}:{cwd}", "--home={home}", "{command}", "-z"]
    )
    found = containment.contained(version, ["a", "{cwd}"], cwd=Path("/w"), home=Path("/h"), environment={})
    assert found == ("podman", "-v", "/w:/w", "--home=/h", "a", "{cwd}", "-z")


class TestPrograms:
    def test_a_script_needs_its_interpreter_and_the_prefix_of_that(self, tmp_path: Path) -> None:
        tool = tmp_path / "tools" / "agent"
        tool.parent.mkdir()
        tool.write_text(f"#!{sys.executable} -I\n")
        tool.chmod(0o755)
        found = programs.needed("agent", str(tool.parent))
        assert found[0] == tool.parent
        assert Path(sys.prefix) in found
        if not Path(sys.base_prefix).is_relative_to("/usr"):
            assert Path(sys.base_prefix) in found

    def test_a_link_into_a_package_shows_all_packages_beside_it(self, tmp_path: Path) -> None:
        real = tmp_path / "lib" / "node_modules" / "@owner" / "cli" / "node_modules" / "inner" / "cli.js"
        real.parent.mkdir(parents=True)
        real.write_text("#!/usr/bin/env sh\n")
        real.chmod(0o755)
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "cli").symlink_to(real)
        found = programs.needed("cli", f"{tmp_path}/bin:/usr/bin")
        assert found == [tmp_path / "bin", tmp_path / "lib" / "node_modules"]

    def test_a_place_that_holds_much_else_is_not_shown_for_one_program(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Path, "home", lambda: tmp_path)
        tool = tmp_path / "agent"
        tool.write_text("x")
        tool.chmod(0o755)
        assert programs.needed(str(tool), "/usr/bin") == [tool]

    @pytest.mark.parametrize("name", ["ls", "absent-program", "./agent", "sub/agent"])
    def test_the_systems_own_and_those_of_no_fixed_place_need_nothing(self, name: str) -> None:
        assert programs.needed(name, "/usr/bin") == []


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
