"""The networks: sizes, bounds, memory order, the table of their layers; and saved: what comes back, what is refused."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from twofold.engine.errors import RunFolderError
from twofold.vae import load
from twofold.vae.config import VaeConfig
from twofold.vae.latent import Autoencoder
from twofold.vae.model import LOGVAR_BOUND, Vae, as_input, layers, open_vae, save_vae
from twofold.vae.recipes import default, original
from vae.small import discs, tiny

CPU = torch.device("cpu")


def parameters(vae: Vae) -> int:
    return sum(parameter.numel() for parameter in vae.parameters())


def test_the_originals_network_corrected_has_its_size() -> None:
    vae = Vae.seeded(original(), 0)
    # Counted by hand from the layers: two convolutions with BatchNorm, two heads of 32,768 -> 256, and mirrored back.
    encoder = 3 * 64 * 9 + 64 + 128 + 64 * 128 * 25 + 128 + 256 + 2 * (32768 * 256 + 256)
    decoder = 256 * 32768 + 32768 + 128 * 64 * 25 + 64 + 128 + 64 * 3 * 25 + 3
    assert parameters(vae) == encoder + decoder == 25_616_003


@pytest.mark.parametrize("network", ["plain", "original"])
@pytest.mark.parametrize(("size", "channels"), [(16, 1), (48, 3), (64, 3)])
def test_an_image_comes_back_in_its_shape(network: str, size: int, channels: int) -> None:
    config = tiny(image={"size": size, "channels": channels}, model={"network": network, "latent_dim": 5})
    vae = Vae.seeded(config, 0).eval()
    x = as_input(discs(2, size, channels), CPU)
    mu, logvar = vae.encode(x)
    assert mu.shape == logvar.shape == (2, 5)
    assert vae.decode(mu).shape == x.shape == (2, channels, size, size)


def test_weights_depend_on_the_seed_alone_and_leave_global_state() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, same, other = (Vae.seeded(tiny(), seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(value, same[name]) for name, value in one.items())
    assert not all(torch.equal(value, other[name]) for name, value in one.items())


def test_log_variances_stay_in_their_bounds_and_are_the_networks_own_when_small() -> None:
    vae = Vae.seeded(tiny(), 0).eval()
    x = as_input(discs(4), CPU)
    with torch.no_grad():
        raw = vae.encoder(x).chunk(2, dim=1)[1]
        torch.testing.assert_close(vae.encode(x)[1], raw, atol=1e-2, rtol=1e-2)
        for weight in vae.encoder[-1].parameters():
            weight.mul_(1e6)
        logvar = vae.encode(x)[1]
    assert logvar.abs().max() <= LOGVAR_BOUND
    assert torch.isfinite(logvar.exp()).all()


def test_pixels_enter_in_units_of_one_and_channels_last() -> None:
    pixels = np.zeros((2, 16, 16, 3), np.uint8)
    pixels[1, 2, 3] = 0, 51, 255
    x = as_input(pixels, CPU)
    assert x.shape == (2, 3, 16, 16)
    assert x.is_contiguous(memory_format=torch.channels_last)
    assert x[1, :, 2, 3].tolist() == pytest.approx([0.0, 0.2, 1.0])


@pytest.mark.parametrize("config", [default(), original(), tiny()], ids=["default", "original", "tiny"])
def test_the_table_of_layers_adds_up(config: VaeConfig) -> None:
    vae = Vae.seeded(config, 0)
    table = layers(vae, config.image.shape)
    learned = sum(layer["parameters"] for layer in table)
    sigma = 1 if config.likelihood.name == "gaussian" else 0  # the only weight that belongs to no layer
    assert learned + sigma == parameters(vae)
    shapes = {part: [layer["shape"] for layer in table if layer["part"] == part] for part in ("encoder", "decoder")}
    assert shapes["encoder"][-1] == (2 * config.model.latent_dim,)
    assert shapes["decoder"][-1] == config.image.shape


def test_a_size_below_one_stride_is_refused() -> None:
    with pytest.raises(ValueError, match=r"at least 32 for model\.depth 3, got 48 x 31"):
        tiny(image={"size": (48, 31)}, model={"depth": 3})


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
    told = "model.safetensors is missing" if kind == "missing" else "not a model of the vae study"
    with pytest.raises(RunFolderError, match=told):
        load(tmp_path)


def test_an_unfinished_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="holds no finished run"):
        load(tmp_path)
