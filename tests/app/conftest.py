"""Finished runs of both studies, tiny but made by their own code."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from trend.small import epidemic, quick
from twofold.engine.files import write_text
from twofold.engine.run import claim
from twofold.trend.run import execute as execute_trend
from twofold.vae.images.load import Images
from twofold.vae.run import execute
from vae.small import discs, images_of, silent, tiny


@pytest.fixture(scope="session")
def vae_images(tmp_path_factory: pytest.TempPathFactory) -> Images:
    """The images of `vae_runs`; their cache is `vae_cache`."""
    return images_of(discs(40), tmp_path_factory.mktemp("discs"))


@pytest.fixture(scope="session")
def vae_cache(vae_images: Images) -> Path:
    """The cache of `vae_images`."""
    pixels = vae_images.pixels
    assert isinstance(pixels, np.memmap) and pixels.filename is not None
    return Path(pixels.filename).parents[2]


@pytest.fixture(scope="session")
def vae_runs(tmp_path_factory: pytest.TempPathFactory, vae_images: Images) -> Path:
    """A folder with one vae run, `discs`."""
    root, images = tmp_path_factory.mktemp("vae-runs"), vae_images
    config = tiny(image={"size": 16, "channels": 3})
    with claim(root / "discs", config, images.digest, ["twofold", "vae", "run"]) as folder:
        execute(images, config, folder, labels=None, on_epoch=silent, on_step=silent)
        write_text(folder.path / "report.html", "<!DOCTYPE html><p>report")
        folder.finish()
    return root


@pytest.fixture(scope="session")
def trend_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one trend run, `waves`."""
    root, panel, config = tmp_path_factory.mktemp("trend-runs"), epidemic(), quick()
    with claim(root / "waves", config, panel.digest(), ["twofold", "trend", "run"]) as folder:
        execute_trend(panel, "waves.csv", config, folder, silent)
        write_text(folder.path / "report.html", "<!DOCTYPE html><p>report")
        folder.finish()
    return root


@pytest.fixture(scope="session")
def every_run(vae_runs: Path, trend_runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of each kind."""
    root = tmp_path_factory.mktemp("every-run")
    for runs in (vae_runs, trend_runs):
        shutil.copytree(runs, root, dirs_exist_ok=True)
    return root
