"""Repositories that ask who we are: the key and the token reach the host, and nobody else."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from portal.core import redaction, secrets
from tests.tickets.private_hosts import SshHost, Watch, https_host, locked_key, locked_pem, private_key, ssh_host
from tests.tickets.repositories import commit, person, project, repository
from tickets import clones, git, landing
from tickets.models import Project
from workers.failures import BadInput

pytestmark = [pytest.mark.django_db, pytest.mark.pages]
TOKEN = "canary-5f0e1c2ab94d47d8"


@pytest.fixture(autouse=True)
def data(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(redaction, "_known", set())
    settings.DATA_DIR = tmp_path / "data"
    return tmp_path / "data"


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    found = repository(tmp_path / "far" / "mc.git", bare=True)
    person(found, "config", "http.receivepack", "true")
    return found


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SshHost]:
    with ssh_host(tmp_path / "ssh-host") as (found, programs):
        monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
        monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
        yield found


def by_ssh(host: SshHost, bare: Path, **fields: str) -> Project:
    secrets.store("deploy", host.key)
    return project(f"{host.address}{bare}", **{"deploy_key": "deploy", "host_keys": host.host_line, **fields})


def there_and_back(of: Project, bare: Path) -> landing.Landed:
    """Fetched, looked up, worked on, pushed."""
    fetched = clones.fetched(of)
    assert clones.named(of, "main") == fetched.commit == person(bare, "rev-parse", "main")
    worktree = fetched.path.parent.parent / "worktree"
    person(fetched.path, "worktree", "add", "--quiet", "-b", "shiproom/mc-1", str(worktree), fetched.commit)
    made = commit(worktree, "Work", **{"b.txt": "new\n"})
    landed = landing.land(of, commit=made, strategy="merge", message="MC-1: Work", check=lambda folder, result: None)
    assert landed.merged_commit == person(bare, "rev-parse", "main")
    return landed


def is_nowhere(secret: str, below: Path) -> bool:
    """In no file, whatever its name."""
    pieces = {line for line in secret.splitlines() if len(line) > 20 and "-----" not in line} or {secret}
    files = [path for path in below.rglob("*") if path.is_file() and not path.is_symlink()]
    assert files
    return not any(piece.encode() in path.read_bytes() for path in files for piece in pieces)


def test_a_deploy_key_fetches_and_pushes_and_is_seen_by_nobody(
    host: SshHost, bare: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(data))
    (data / "clones").mkdir(parents=True)
    of = by_ssh(host, bare)
    with Watch() as watch:
        there_and_back(of, bare)
    assert watch.seen > 2 and any(b"IdentitiesOnly=yes" in shown for shown in watch.shown)
    body = host.key.splitlines()[1].encode()
    assert not any(body in shown for shown in watch.shown)
    assert is_nowhere(host.key, data)
    assert host.key.splitlines()[1] not in redaction.redact(f"said {host.key.splitlines()[1]}")


def test_a_token_fetches_and_pushes_and_is_seen_by_nobody(
    bare: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets.store("token", TOKEN)
    with https_host(tmp_path / "https-host", bare.parent, user="robot", token=TOKEN) as far:
        monkeypatch.setenv("GIT_SSL_CAINFO", str(far.authority))
        of = project(f"{far.address}/mc.git", access_token="token", access_user="robot")
        with Watch() as watch:
            there_and_back(of, bare)
    assert watch.seen > 2 and any(b"git-remote-https" in shown for shown in watch.shown)
    assert not any(TOKEN.encode() in shown for shown in watch.shown)
    assert is_nowhere(TOKEN, data)


def test_no_other_token_is_let_in_and_the_error_does_not_repeat_it(
    bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets.store("token", "another-canary-0001")
    with https_host(tmp_path / "https-host", bare.parent, user="x-access-token", token=TOKEN) as far:
        monkeypatch.setenv("GIT_SSL_CAINFO", str(far.authority))
        with pytest.raises(git.GitFailed) as failed:
            clones.fetched(project(f"{far.address}/mc.git", access_token="token"))
    assert "Authentication failed" in str(failed.value) and "canary" not in str(failed.value)


def test_a_redirect_is_not_followed_and_says_so(bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets.store("token", TOKEN)
    with https_host(tmp_path / "https-host", bare.parent, user="x-access-token", token=TOKEN) as far:
        monkeypatch.setenv("GIT_SSL_CAINFO", str(far.authority))
        with pytest.raises(git.GitFailed, match="at another address now, and no redirect is followed"):
            clones.fetched(project(f"{far.address}/moved/mc.git", access_token="token"))
        assert len(far.asked) == 1


def test_what_an_agent_set_in_the_clone_leads_the_token_nowhere(
    bare: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets.store("token", TOKEN)
    stolen = tmp_path / "stolen"
    with https_host(tmp_path / "https-host", bare.parent, user="x-access-token", token=TOKEN) as far:
        monkeypatch.setenv("GIT_SSL_CAINFO", str(far.authority))
        of = project(f"{far.address}/mc.git", access_token="token")
        path = clones.fetched(of).path
        (tmp_path / "more").write_text(f'[credential]\n\thelper = "!cat >> {stolen}; :"\n')
        person(path, "config", f"credential.{far.address}.helper", f"!cat >> {stolen}; :")
        person(path, "config", "credential.helper", f"!cat >> {stolen}; :")
        person(path, "config", "include.path", str(tmp_path / "more"))
        person(path, "config", f"http.{far.address}.proxy", "http://127.0.0.1:9")
        person(path, "config", f"url.{far.address}/elsewhere.insteadOf", far.address)
        person(path, "config", "user.name", "An agent")
        clones.fetched(of)
    assert not stolen.exists()
    assert person(path, "config", "--get", "user.name") == "An agent"


def test_a_host_that_nobody_confirmed_is_not_spoken_to_and_shows_its_key(host: SshHost, bare: Path) -> None:
    with pytest.raises(
        BadInput, match=r"Nobody has confirmed .* it shows SHA256:[A-Za-z0-9+/]{43} \(ssh-ed25519\)"
    ) as no:
        clones.fetched(by_ssh(host, bare, host_keys=""))
    assert host.host_line in str(no.value)
    assert clones.fetched(by_ssh(host, bare, host_keys=str(no.value).splitlines()[-1])).branch == "main"


def test_a_host_with_another_key_than_was_confirmed_is_refused(host: SshHost, bare: Path) -> None:
    other = f"{host.host_line.split()[0]} {private_key()[1]}"
    with pytest.raises(BadInput, match="shows another key than the host keys of MC"):
        clones.fetched(by_ssh(host, bare, host_keys=other))


def test_another_key_is_not_let_in(host: SshHost, bare: Path) -> None:
    of = by_ssh(host, bare)
    secrets.store("deploy", private_key()[0])
    with pytest.raises(git.GitFailed, match="cannot be read now"):
        clones.fetched(of)


def test_a_key_that_a_field_of_one_line_took_the_line_ends_of_is_the_same_key(host: SshHost, bare: Path) -> None:
    of = by_ssh(host, bare)
    secrets.store("deploy", host.key.replace("\n", ""))
    assert clones.fetched(of).branch == "main"


@pytest.mark.parametrize(
    ("repository", "fields", "said"),
    [
        ("ssh://git@host/x.git", {"deploy_key": "gone"}, "There is no secret named gone"),
        ("https://host/x.git", {"access_token": "gone"}, "There is no secret named gone"),
        ("http://host/x.git", {"access_token": "token"}, "An access token is for https://"),
        ("git@host:x.git", {"deploy_key": "token"}, "is no private key of SSH"),
        ("git@host:x.git", {"deploy_key": "locked"}, "has a passphrase"),
        ("git@host:x.git", {"deploy_key": "locked-pem"}, "has a passphrase"),
    ],
)
def test_a_credential_that_cannot_be_used_is_told_before_anything_is_asked(
    repository: str, fields: dict[str, str], said: str
) -> None:
    secrets.store("token", TOKEN)
    secrets.store("locked", locked_key())
    secrets.store("locked-pem", locked_pem())
    with pytest.raises(BadInput, match=said) as no:
        clones.named(project(repository, **fields), "main")
    assert TOKEN not in str(no.value)


def test_a_child_that_is_no_part_of_the_command_inherits_nothing_of_it(
    bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tickets.addresses import address_of
    from tickets.signing_in import signed_in

    secrets.store("token", TOKEN)
    address = address_of("https://host/x.git")
    assert address is not None
    with signed_in(project("https://host/x.git", access_token="token"), address) as access:
        (helper,) = (value for key, value in access.settings.items() if key.startswith("credential."))
        place = helper.split("cat ")[1].split(";")[0]
        assert TOKEN in Path(place).read_text() and Path(place).stat().st_mode & 0o077 == 0
        listed = subprocess.run(["ls", "-l", "/proc/self/fd"], close_fds=False, capture_output=True, text=True).stdout
        assert "memfd" not in listed
    assert not Path(place).exists()
