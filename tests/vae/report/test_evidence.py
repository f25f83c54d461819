from pathlib import Path

import pytest

from twofold.engine.errors import RunFolderError
from twofold.vae.report import evidence
from vae.report.showing import run_folder

FILES = ("scores.json", "config.json", "metrics.jsonl", "arrays.npz", "skipped.json", "images.parquet")


def test_it_holds_what_the_folder_holds(tmp_path: Path) -> None:
    found = evidence.read(run_folder(tmp_path, size=16, latent=4, test=12, skipped=2))
    assert found.scores["data"]["images"] == len(found.images) == 120
    assert [record["epoch"] for record in found.metrics] == list(range(1, 31))
    assert found.arrays["real"].shape == (12, 16, 16, 3) and found.arrays["kl_units"].shape == (4,)
    assert len(found.skipped) == 2 and found.config["model"]["latent_dim"] == 4
    assert found.labels is not None and "hair" in found.labels.columns
    assert found.manifest["command"][:3] == ["twofold", "vae", "run"]


def test_own_images_have_no_labels(tmp_path: Path) -> None:
    assert evidence.read(run_folder(tmp_path, size=16, test=4, embedded=False)).labels is None


def test_a_folder_copied_without_its_manifest_is_read(tmp_path: Path) -> None:
    folder = run_folder(tmp_path, size=16, test=4)
    (folder / "manifest.json").unlink()
    assert evidence.read(folder).manifest == {}


@pytest.mark.parametrize("name", [*FILES, "labels.parquet"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    folder = run_folder(tmp_path, size=16, test=4)
    (folder / name).unlink()
    with pytest.raises(RunFolderError, match=f"{name} is missing"):
        evidence.read(folder)
