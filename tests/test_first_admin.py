"""The account and the link that an installation begins with."""

from __future__ import annotations

import stat
from datetime import datetime, timedelta

import pytest
from allauth.account.forms import default_token_generator

from portal.core.models import Activity, User
from portal.site.launching import first_admin
from tests import factories


@pytest.fixture(autouse=True)
def data_folder(settings, tmp_path):
    settings.DATA_DIR = tmp_path


def link() -> str:
    """The path of the link in the file."""
    return "/" + first_admin.link_file().read_text().splitlines()[1].split("/", 3)[3]


def set_password(client, path: str, password: str = factories.PASSWORD):
    form = client.get(path, follow=True)
    return client.post(form.redirect_chain[-1][0], {"password1": password, "password2": password})


def test_the_first_start_makes_one_admin_without_a_password(db):
    first_admin.ensure()
    first_admin.ensure()
    admin = User.objects.get()
    assert (admin.email, admin.is_superuser, admin.is_staff, admin.has_usable_password()) == (
        "admin@localhost",
        True,
        True,
        False,
    )
    assert list(Activity.objects.values_list("verb", "subject")) == [("created", f"user:{admin.pk}")]
    assert stat.S_IMODE(first_admin.link_file().stat().st_mode) == 0o600


def test_the_link_sets_a_password_once(client, db):
    first_admin.ensure()
    path = link()
    assert set_password(client, path).status_code == 302
    admin = User.objects.get()
    assert admin.check_password(factories.PASSWORD)
    client.logout()
    again = client.get(path, follow=True)
    assert again.redirect_chain == []
    assert User.objects.get().check_password(factories.PASSWORD)


def test_the_file_goes_at_the_next_start_once_the_link_was_used(client, db):
    first_admin.ensure()
    set_password(client, link())
    first_admin.ensure()
    assert not first_admin.link_file().exists()


def test_the_next_start_writes_a_fresh_link_while_there_is_no_password(db):
    first_admin.ensure()
    first_admin.link_file().write_text("old\n")
    first_admin.ensure()
    assert link().startswith("/accounts/password/reset/key/")


def test_an_admin_who_exists_is_left_alone(db):
    User.objects.create_superuser("boss@example.org", factories.PASSWORD)
    first_admin.ensure()
    assert User.objects.count() == 1
    assert not first_admin.link_file().exists()


def test_the_link_ends_with_its_time(client, db, settings, monkeypatch):
    settings.PASSWORD_RESET_TIMEOUT = 3600
    first_admin.ensure()
    path = link()
    monkeypatch.setattr(default_token_generator, "_now", lambda: datetime.now() + timedelta(seconds=3599))
    assert client.get(path).status_code == 302
    monkeypatch.setattr(default_token_generator, "_now", lambda: datetime.now() + timedelta(seconds=3602))
    assert client.get(path).status_code == 200
