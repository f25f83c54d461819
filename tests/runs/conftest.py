"""Every kind of folder, made once, by somebody with a name and a place that nobody else should learn."""

from pathlib import Path

import pytest
from filelock import FileLock

from offline import Offline
from runs.every_kind import Made, commands, inputs
from runs.private import FOLDER, HOST, USER


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
def maker(shared: Path) -> Offline:
    """The processes in which the folders are made."""
    return Offline(shared / "maker", HOME=str(shared / "home"), USER=USER, LOGNAME=USER, HOSTNAME=HOST)


@pytest.fixture(scope="session")
def made(given: dict[str, Path], shared: Path, maker: Offline) -> dict[str, Made]:
    """A finished folder of every kind, by its kind, for reading only; the cache of images lies beside them."""
    home = shared / "home"
    found = {each.kind: each for each in commands(given, home / "runs", home / "cache")}
    with FileLock(shared / "made.lock"):
        if not (shared / "made").exists():
            (home / ".cache").mkdir(parents=True)
            maker.twofold(*((0, each.words) for each in found.values()))
            (shared / "made").touch()
    return found
