"""Every kind of folder, made once, by somebody with a name and a place that nobody else should learn."""

from pathlib import Path

import pytest
from filelock import FileLock

from runs.every_kind import Made, commands, inputs
from runs.private import FOLDER, HOST, USER
from twofold.cli import main


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder that all workers of pytest-xdist share."""
    base = tmp_path_factory.getbasetemp()
    return (base if worker_id == "master" else base.parent) / "every-kind" / FOLDER


@pytest.fixture(scope="session")
def given(shared: Path) -> dict[str, Path]:
    """The tables and images that the folders of `made` were made from."""
    return inputs(shared / "given")


@pytest.fixture(scope="session")
def made(given: dict[str, Path], shared: Path) -> dict[str, Made]:
    """A finished folder of every kind, by its kind, for reading only; the cache of images lies beside them."""
    home = shared / "home"
    found = {each.kind: each for each in commands(given, home / "runs", home / "cache")}
    with FileLock(shared / "made.lock"), pytest.MonkeyPatch.context() as patch:
        for name, value in {"HOME": str(home), "USER": USER, "LOGNAME": USER, "HOSTNAME": HOST}.items():
            patch.setenv(name, value)
        patch.setattr("twofold.trend.original.study.TRIALS", ())  # most of a study's time
        if not (shared / "made").exists():
            (home / ".cache").mkdir(parents=True)
            for each in found.values():
                assert main(each.words) == 0
            (shared / "made").touch()
    return found
