"""A portal with real workers, the scripted model's API, and each command line in it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.clis.benches import Bench
    from tests.clis.model_api import ModelApi
    from tests.engines.stack import Stack
    from tests.factories import World
    from tests.tickets.workshop import Workshop


@pytest.fixture(scope="module")
def api() -> Iterator[ModelApi]:
    from tests.clis import model_api

    with model_api.serving() as found:
        yield found


@pytest.fixture(scope="module")
def stack(
    open_stack: Callable[..., AbstractContextManager[Stack]], tmp_path_factory: pytest.TempPathFactory, api: ModelApi
) -> Iterator[Stack]:
    from django.conf import settings
    from django.test import override_settings

    from tests.clis import profiles

    folder = tmp_path_factory.mktemp("data")
    path = f"{profiles.BIN}:{os.environ['PATH']}"
    options = {"DATA_DIR": str(folder), "SECRETS_KEY": settings.SECRETS_KEY, "LOOK_INTERVAL_SECONDS": "1"}
    options |= {"JOB_MAX_LOSSES": "5", "BREAKER_FAILURES": "2"}
    with override_settings(DATA_DIR=folder), open_stack(PATH=path, **options, **profiles.SETTINGS) as found:
        found.web()
        found.worker("turns", 1)
        profiles.keep_secrets(api.url, found.base_url)
        yield found


@pytest.fixture(scope="module")
def world(stack: Stack) -> World:
    from tests import factories

    return factories.world()


@pytest.fixture
def shop(world: World, tmp_path: Path) -> Workshop:
    from tests.tickets.workshop import Workshop

    return Workshop(world.mc, tmp_path)


@pytest.fixture(params=["claude-plain", "claude-box", "codex-plain", "codex-box", "goose-plain", "goose-box"])
def bench(request: pytest.FixtureRequest, stack: Stack, shop: Workshop, api: ModelApi) -> Iterator[Bench]:
    from tests.clis.benches import Bench

    name, _, around = request.param.partition("-")
    found = Bench(stack, shop, api, name, around == "box")
    yield found
    found.put_away()
