"""Saved models: what is saved comes back, equal models are equal files, and what is no model is refused unread."""

import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from twofold.engine.errors import RunFolderError
from twofold.vae import load
from twofold.vae.latent import Autoencoder
from twofold.vae.model import Vae
from twofold.vae.saved import open_vae, save_vae
from vae.small import tiny


@pytest.fixture(scope="module")
def model() -> Autoencoder:
    return Autoencoder(Vae.seeded(tiny(), 3).eval(), tiny())


def finished(folder: Path) -> Path:
    (folder / "DONE").write_bytes(b"")
    return folder


def test_a_saved_model_comes_back(model: Autoencoder, tmp_path: Path) -> None:
    save_vae(model.vae, model.config, finished(tmp_path))
    vae, config = open_vae(tmp_path, torch.device("cpu"))
    assert config.to_json() == model.config.to_json()
    others = vae.state_dict()
    assert all(torch.equal(value, others[name]) for name, value in model.vae.state_dict().items())
    assert not vae.training


def test_equal_models_are_equal_files(model: Autoencoder, tmp_path: Path) -> None:
    contents = []
    for name in ("one", "two"):
        save_vae(model.vae, model.config, tmp_path / name)
        contents.append((tmp_path / name / "model.safetensors").read_bytes())
    assert contents[0] == contents[1]
    assert str(tmp_path).encode() not in contents[0]


class Bomb:
    """Whoever unpickles it fails the test."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return pytest.fail, ("a pickle was loaded",)


@pytest.mark.parametrize("kind", ["pickle", "torch", "half", "other weights", "trend", "no config", "missing"])
def test_what_is_no_model_is_refused(model: Autoencoder, tmp_path: Path, kind: str) -> None:
    save_vae(model.vae, model.config, finished(tmp_path))
    path = tmp_path / "model.safetensors"
    about = {"twofold": json.dumps({"study": "vae", "config": model.config.model_dump(mode="json")})}
    match kind:
        case "pickle":
            path.write_bytes(pickle.dumps(Bomb()))
        case "torch":
            torch.save({"bomb": Bomb()}, path)
        case "half":
            path.write_bytes(path.read_bytes()[:1000])
        case "other weights":
            save_file({"encoder.0.weight": torch.zeros(3)}, path, about)
        case "trend":
            save_file({"x": torch.zeros(3)}, path, {"twofold": json.dumps({"study": "trend"})})
        case "no config":
            save_file({"x": torch.zeros(3)}, path)
        case "missing":
            path.unlink()
    with pytest.raises(RunFolderError, match="not a model of the vae study"):
        load(tmp_path)


def test_an_unfinished_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="holds no finished run"):
        load(tmp_path)
