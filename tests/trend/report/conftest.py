from pathlib import Path

import pytest

from trend.report.showing import run_folder
from twofold.page.album import Album


@pytest.fixture(scope="session")
def computed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder without its page; to be copied, never changed."""
    return run_folder(tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawings are left empty, which spares most of the time that a page takes."""
    monkeypatch.setattr(Album, "draw", lambda album, name, figure: album.keep(name, "<svg></svg>"))
