"""How a project signs in at its repository, as an admin sets it: refused where it is typed, nobody else's to move."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

from portal.core import secrets
from portal.core.lifecycle import Refused
from portal.core.models import Activity
from tests.tickets.private_hosts import locked_key, private_key
from tests.tickets.repositories import project
from tests.tickets.test_project_admin import COLUMNS, address, opened, stored
from tickets import host_keys, projects, remotes
from tickets.addresses import Address, address_of, place_problem
from workers.failures import BadInput

if TYPE_CHECKING:
    from tests.factories import World

TOKEN = "canary-5f0e1c2ab94d47d8"
KEY, PUBLIC = private_key()
SIGNING_IN = ("deploy_key", "host_keys", "access_token", "access_user")


@pytest.fixture
def admin(world: World, sign_in: Callable[..., Client]) -> Client:
    secrets.store("deploy", KEY)
    secrets.store("locked", locked_key())
    secrets.store("token", TOKEN)
    return sign_in(world.admin)


def typed(admin: Client, world: World, **fields: str) -> Any:
    """The form as a browser sends it with these fields typed into it; its errors, or none."""
    form = admin.get(address(world.mc)).context["adminform"].form
    names = (*COLUMNS, *SIGNING_IN)
    sent = {f"initial-{name}": form[name].value() for name in (*COLUMNS, *SIGNING_IN)}
    sent |= opened(admin, world.mc) | {name: form[name].value() for name in names} | fields
    answer = admin.post(address(world.mc), sent)
    return {} if answer.status_code == 302 else answer.context["adminform"].form.errors


@pytest.mark.django_db
@pytest.mark.pages
def test_a_key_with_its_host_is_stored_by_name_alone(admin: Client, world: World) -> None:
    line = f"code.example.org {PUBLIC}"
    fields = {"repository": "git@code.example.org:mc.git", "deploy_key": "deploy", "host_keys": line}
    assert typed(admin, world, **fields) == {}
    assert (stored().deploy_key, stored().host_keys.strip(), stored().version) == ("deploy", line, 2)
    page = admin.get(address(world.mc)).content.decode()
    history = str(Activity.objects.values_list("before", "after"))
    assert "deploy" in page and KEY.splitlines()[1] not in page + history


@pytest.mark.django_db
@pytest.mark.pages
@pytest.mark.parametrize(
    ("field", "said", "fields"),
    [
        ("deploy_key", "There is no secret named gone", {"deploy_key": "gone"}),
        ("deploy_key", "The secret token is no private key of SSH", {"deploy_key": "token"}),
        ("deploy_key", "The secret locked has a passphrase", {"deploy_key": "locked"}),
        (
            "deploy_key",
            "A deploy key is for ssh, and the repository is reached by https.",
            {"deploy_key": "deploy", "repository": "https://code.example.org/mc.git"},
        ),
        ("access_token", "There is no secret named gone", {"access_token": "gone"}),
        ("access_token", "The secret deploy is no access token", {"access_token": "deploy"}),
        (
            "access_token",
            "An access token is for https://, and the repository is reached by http.",
            {"access_token": "token", "repository": "http://code.example.org/mc.git"},
        ),
        (
            "host_keys",
            "Nobody has confirmed the host keys of [127.0.0.1]:1",
            {"deploy_key": "deploy", "repository": "ssh://git@127.0.0.1:1/mc.git"},
        ),
        (
            "host_keys",
            "None of these lines is about code.example.org",
            {"repository": "git@code.example.org:mc.git", "host_keys": f"other.example.org {PUBLIC}"},
        ),
        ("host_keys", "Host keys are for a repository by ssh", {"host_keys": f"code.example.org {PUBLIC}"}),
    ],
)
def test_what_cannot_sign_in_is_refused_beside_its_field(
    admin: Client, world: World, field: str, said: str, fields: dict[str, str]
) -> None:
    defaults = {"repository": "https://code.example.org/mc.git"} if "access_token" in fields else {}
    assert said in str(typed(admin, world, **{**defaults, **fields}).get(field))
    assert stored().version == 1


@pytest.mark.django_db
@pytest.mark.pages
def test_an_owner_cannot_send_a_stored_secret_to_another_place(world: World, sign_in: Callable[..., Client]) -> None:
    there, elsewhere = "https://code.example.org/mc.git", "https://mine.example.net/mc.git"
    projects.change(world.mc, expected_version=1, by_admin=True, repository=there, access_token="token")
    sent = {"title": "MC", "repository": elsewhere, "expected_version": "2"}
    page = sign_in(world.owner).post("/projects/MC/settings/", sent)
    assert page.status_code == 422
    assert "which would be used at this address" in str(page.context["forms"]["settings"].errors["repository"])
    with pytest.raises(Refused, match="An admin changes both"):
        projects.change(stored(), expected_version=2, repository=elsewhere)
    # One that was read before the secret was named comes too late.
    assert stored().repository == there
    projects.change(stored(), expected_version=2, name="Other")
    assert stored().name == "Other"


# Hosts --------------------------------------------------------------------------


@pytest.mark.once
@pytest.mark.parametrize(
    ("repository", "found"),
    [
        ("/srv/mc", Address("file")),
        ("file:///srv/mc", Address("file")),
        ("git@Code.example.org:mc.git", Address("ssh", "code.example.org", 22)),
        ("ssh://git@code.example.org:2222/mc.git", Address("ssh", "code.example.org", 2222)),
        ("git+ssh://code.example.org/mc.git", Address("ssh", "code.example.org", 22)),
        ("https://code.example.org/mc.git", Address("https", "code.example.org", 443)),
        ("https://[::1]:8443/mc.git", Address("https", "[::1]", 8443)),
        # What ssh, curl and we might read differently is read by nobody.
        ("ssh://good.example?.evil.example/mc.git", None),
        ("https://good.example\\@evil.example/mc.git", None),
        ("https://good.example#@evil.example/mc.git", None),
        ("https://a@good.example@evil.example/mc.git", None),
        ("ext::sh -c id", None),
        ("mc", None),
    ],
)
def test_an_address_is_read_in_one_way_or_not_at_all(repository: str, found: Address | None) -> None:
    assert address_of(repository) == found


@pytest.mark.once
@pytest.mark.parametrize(
    ("repository", "said"),
    [
        ("https://code.example.org/mc.git", ""),
        ("git@code.example.org:mc.git", ""),
        ("https://evil.example/mc.git", "of these hosts only: code.example.org"),
        ("https://code.example.org.evil.example/mc.git", "of these hosts only"),
        ("ssh://git@evil.example:22/code.example.org/mc.git", "of these hosts only"),
        ("/srv/mc", "no repositories on its own machines"),
        ("file:///srv/mc", "no repositories on its own machines"),
    ],
)
def test_only_hosts_of_the_installation_are_used_in_the_form_and_at_each_use(
    settings: Any, repository: str, said: str
) -> None:
    settings.REPOSITORY_HOSTS, settings.REPOSITORY_LOCAL = ["code.example.org"], False
    assert said in place_problem(repository) and bool(said) == bool(place_problem(repository))
    if said:
        with pytest.raises(BadInput, match="is not used"):
            remotes.source(project(repository))


@pytest.mark.once
def test_a_line_of_known_hosts_is_of_its_host_as_ssh_reads_it() -> None:
    host, other = Address("ssh", "code.example.org", 22), Address("ssh", "code.example.org", 2222)
    salt = bytes(20)
    name = hmac.new(salt, b"code.example.org", hashlib.sha1).digest()
    hashed = f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(name).decode()}"
    for names in ("code.example.org", "a,code.example.org", "*.example.org", hashed):
        assert host_keys.lines_problem(f"# ours\n{names} {PUBLIC} somebody", host) == ""
        assert "None of these lines" in host_keys.lines_problem(f"{names} {PUBLIC}", other)
    assert host_keys.lines_problem(f"[code.example.org]:2222 {PUBLIC}", other) == ""
    assert host_keys.lines_problem(f"@cert-authority *.example.org {PUBLIC}", host) == ""
    for wrong in (f"!code.example.org,*.example.org {PUBLIC}", f"@revoked code.example.org {PUBLIC}"):
        assert "None of these lines" in host_keys.lines_problem(wrong, host)
    assert "Line 2: a line has a host" in host_keys.lines_problem(f"code.example.org {PUBLIC}\n{PUBLIC}", host)
    assert "no key of that kind" in host_keys.lines_problem("code.example.org ssh-rsa AAAA", host)
