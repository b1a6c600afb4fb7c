"""Shiproom as a service of its own demo: made once, from a checkout with a branch, and taken away with the demo."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployments.models import Environment, PipelineStep
from portal.core.lifecycle import Refused
from portal.site.demo import folders, history, itself, recipes, removing
from tests.portal.site.demo_place import admin, place
from tickets.models import Project

__all__ = ["place"]
pytestmark = [pytest.mark.django_db, pytest.mark.once]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    history.make(tmp_path / "checkout")
    return tmp_path / "checkout"


def test_it_is_made_once_and_goes_with_the_demo(place: Path, checkout: Path) -> None:
    admin()
    project, made = itself.load(checkout)
    assert (made, project.key, project.target_branch) == (True, "ROOM", history.BRANCH)
    assert itself.load(checkout) == (project, False)
    kinds = PipelineStep.objects.filter(service__project=project).order_by("n").values_list("kind", flat=True)
    assert list(kinds) == ["command", "command", "migrate", "restart", "health"]
    variables = Environment.objects.get(project=project).variables
    assert recipes.named(variables["RUNS"]).drains
    assert itself.address(project) == f"http://localhost:{variables['PORT']}/"
    assert not itself.has_host()
    assert removing.remove()
    assert not Project.objects.filter(key="ROOM").exists()
    assert not folders.folder().exists()


def test_without_a_checkout_there_is_nothing_to_deploy_from(place: Path, tmp_path: Path) -> None:
    admin()
    with pytest.raises(Refused, match="no checkout of git with a branch"):
        itself.load(tmp_path)
    assert not Project.objects.exists()


def test_a_project_of_that_key_that_is_not_the_demos_is_left_alone(place: Path, checkout: Path) -> None:
    admin()
    Project.objects.create(key="ROOM", name="A room of one's own")
    with pytest.raises(Refused, match="not the demo's"):
        itself.load(checkout)


def test_the_host_runs_once_what_its_recipe_names_and_nothing_else() -> None:
    recipe, known = recipes.portal(), recipes.known(Path("/place"), "a" * 40, 8092)
    argv = recipe.once_argv(["prepare"], known)
    assert argv is not None
    assert argv[1:] == [f"/place/releases/{'a' * 40}/manage.py", "prepare"]
    assert recipe.once_argv(["shell", "-c", "1"], known) is None
    assert recipe.once_argv([], known) is None
    assert recipes.HARBOUR.once_argv(["prepare"], known) is None
