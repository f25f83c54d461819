"""Open models: loaded once, a few at a time, one thread each, dropped when idle."""

import os
import shutil
import threading
from pathlib import Path

import pytest

from twofold.app import models
from twofold.app.models import IDLE_S, MOST_OPEN, Models
from twofold.app.runs import Run, Runs


@pytest.fixture
def runs(vae_runs: Path, tmp_path: Path) -> list[Run]:
    for number in range(MOST_OPEN + 1):
        shutil.copytree(vae_runs / "discs", tmp_path / f"run-{number}")
    return Runs(tmp_path).all()


def test_a_model_is_loaded_once_and_again_when_its_file_is_new(runs: list[Run]) -> None:
    held = Models()
    with held.use(runs[0]) as first, held.use(runs[1]):
        pass
    with held.use(runs[0]) as again:
        assert again is first
    os.utime(runs[0].folder / models.FILE, (1, 1))
    with held.use(runs[0]) as new:
        assert new is not first


def test_of_too_many_the_one_unused_for_longest_goes(runs: list[Run]) -> None:
    held = Models()
    found = []
    for run in [*runs[:MOST_OPEN], runs[0], runs[MOST_OPEN]]:
        with held.use(run) as model:
            found.append(model)
    assert held.number == MOST_OPEN
    with held.use(runs[0]) as kept:
        assert kept is found[0]
    with held.use(runs[1]) as reloaded:
        assert reloaded is not found[1]


def test_idle_models_are_dropped(runs: list[Run]) -> None:
    now = [0.0]
    held = Models(lambda: now[0])
    with held.use(runs[0]):
        pass
    now[0] = IDLE_S / 2
    with held.use(runs[1]):
        pass
    held.drop_idle()
    assert held.number == 2
    now[0] = IDLE_S
    held.drop_idle()
    assert held.number == 1


def test_one_thread_uses_a_model_at_a_time_and_another_model_meanwhile(runs: list[Run]) -> None:
    held, inside = Models(), threading.Event()

    def use() -> None:
        with held.use(runs[0]):
            inside.set()

    with held.use(runs[0]):
        thread = threading.Thread(target=use)
        thread.start()
        with held.use(runs[1]):
            pass
        assert not inside.wait(0.2)
    assert inside.wait(10)
    thread.join()
