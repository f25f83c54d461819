import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from twofold.engine.errors import InputError
from twofold.vae.config import VaeConfig
from twofold.vae.images.load import Images, Split, split_images
from twofold.vae.model import as_input
from twofold.vae.objective import kl_units
from twofold.vae.principal import PrincipalDecoder, PrincipalEncoder
from twofold.vae.score import evaluate
from twofold.vae.start import CHOICE, Started, begin
from vae.small import discs, generator, images_of, tiny

CPU = torch.device("cpu")


def linear(likelihood: str = "multiscale", **groups: object) -> VaeConfig:
    settings = {"model": {"network": "linear", "latent_dim": 0}, "likelihood": {"name": likelihood, "width": 6}}
    return tiny(**settings | groups)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Images:
    return images_of(discs(300), tmp_path_factory.mktemp("start"))


def started(images: Images, config: VaeConfig, folder: Path) -> tuple[Started, Split]:
    split = split_images(images.hashes, config.split)
    return begin(images, split, config, CPU, folder), split


@pytest.mark.parametrize("size", [16, (9, 14)])
def test_with_a_gaussian_the_elbo_is_the_likelihood_of_probabilistic_pca(
    size: int | tuple[int, int], tmp_path: Path
) -> None:
    """Its posterior is exact, so that every sample of z gives log p(x) = log N(x; mean, W W' + sigma^2 I)."""
    images = images_of(discs(300, size), tmp_path / "images")
    found, split = started(
        images, linear("gaussian", image={"size": size}, model={"network": "linear", "latent_dim": 7}), tmp_path
    )
    decoder = found.vae.decoder
    assert isinstance(decoder, PrincipalDecoder)
    loadings = (decoder.directions * decoder.scale[:, None]).double().numpy()
    sigma = found.vae.likelihood.sigma
    assert sigma is not None
    covariance = loadings.T @ loadings + sigma**2 * np.eye(loadings.shape[1])
    x = as_input(images.pixels[split.test], CPU)
    exact = multivariate_normal(decoder.mean.double().numpy(), covariance).logpdf(x.flatten(1).numpy())
    with torch.no_grad():
        mu, logvar = (values.double() for values in found.vae.encode(x))
        noise = torch.randn(mu.shape, generator=generator(), dtype=torch.float64)
        z = mu + torch.exp(0.5 * logvar) * noise
        log_joint = -found.vae.likelihood.nll(found.vae.decode(z.float()), x).double() - 0.5 * z.square().sum(1)
        log_ratio = log_joint + 0.5 * (noise.square() + logvar).sum(1)
    np.testing.assert_allclose(log_ratio, exact, rtol=1e-3)


def test_the_number_of_units_is_chosen_and_kept_for_who_resumes(images: Images, tmp_path: Path) -> None:
    first, _ = started(images, linear(), tmp_path)
    assert first.choice is not None
    assert first.config.model.latent_dim == first.choice.units > 1
    tried = {(each["units"], each["noise"]): each["bits_per_dim"] for each in first.choice.tried}
    best = min(bits for (_, noise), bits in tried.items() if noise == 4.0)
    assert tried[first.choice.units, 4.0] <= 1.03 * best
    assert json.loads((tmp_path / CHOICE).read_text())["units"] == first.choice.units
    again, _ = started(images, linear(), tmp_path)
    assert again.choice == first.choice
    for name, weight in first.vae.state_dict().items():
        assert torch.equal(weight, again.vae.state_dict()[name]), name


def test_a_number_of_units_that_is_given_is_taken(images: Images, tmp_path: Path) -> None:
    found, _ = started(images, linear(model={"network": "linear", "latent_dim": 5}), tmp_path)
    assert found.choice is not None
    assert found.choice.units == 5
    assert {each["units"] for each in found.choice.tried} == {5}


def test_folds_decode_training_images_without_having_seen_them(images: Images, tmp_path: Path) -> None:
    """Their pictures are worse than those of components that know them, and no better than of new images."""
    found, split = started(images, linear(model={"network": "linear", "latent_dim": 40}), tmp_path)
    assert len(found.folds) == 8
    vae = found.vae.eval()

    def error(encoder: torch.nn.Module, decoder: torch.nn.Module, rows: np.ndarray) -> float:
        x = as_input(images.pixels[rows], CPU)
        with torch.no_grad():
            return float((decoder(vae.posterior(encoder(x))[0]) - x).square().mean())

    known = error(vae.encoder, vae.decoder, split.train)
    unknown = np.mean([error(*codec, split.train[found.fold_of == fold]) for fold, codec in enumerate(found.folds)])
    new = error(vae.encoder, vae.decoder, split.test)
    assert known < 0.8 * unknown
    assert 0.6 * new < unknown < 1.8 * new


def test_folds_share_what_is_learned(images: Images, tmp_path: Path) -> None:
    found, split = started(images, linear(), tmp_path)
    encoder, one = found.vae.encoder, found.folds[0][0]
    assert isinstance(encoder, PrincipalEncoder)
    x = as_input(images.pixels[split.test], CPU)
    with torch.no_grad():
        before = one(x)
        encoder.logvar_change += 1.0
        torch.testing.assert_close(one(x)[:, before.shape[1] // 2 :], before[:, before.shape[1] // 2 :] + 1.0)


def test_a_larger_weight_starts_with_a_smaller_rate(images: Images, tmp_path: Path) -> None:
    """So that a sweep need not wait until training moves each weight's code to its place; units are the same."""
    rates, units = [], set()
    for beta in (0.0, 1.0, 100.0):
        found, split = started(images, linear(objective={"beta": beta}), tmp_path / str(beta))
        with torch.no_grad():
            rates.append(float(kl_units(*found.vae.encode(as_input(images.pixels[split.test], CPU))).sum(1).mean()))
        units.add(found.config.model.latent_dim)
    assert rates == sorted(rates, reverse=True)
    assert rates[2] < 0.3 * rates[1] < rates[0]
    assert len(units) == 1


def test_the_linear_model_beside_it_is_probabilistic_pca(images: Images, tmp_path: Path) -> None:
    found, split = started(images, linear(), tmp_path)
    assert found.linear is not None and found.choice is not None
    vae, config = found.linear
    assert config.likelihood.name == "gaussian"
    assert config.model.latent_dim == found.choice.linear_units
    batches = [as_input(images.pixels[split.validation], CPU)]
    assert evaluate(vae, batches, 1, generator()).bits is not None


def test_more_units_than_the_images_have_components_are_refused(images: Images, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--model\.latent-dim 4000: \d+ training images .* give at most \d+"):
        started(images, linear(model={"network": "linear", "latent_dim": 4000}), tmp_path)


@pytest.mark.parametrize("number", [3, 4, 12])
def test_few_images_start_too(number: int, tmp_path: Path) -> None:
    few = images_of(discs(number), tmp_path)
    split = Split(np.arange(number), np.arange(1), np.arange(1))
    found = begin(few, split, linear(), CPU, tmp_path)
    assert 1 <= found.config.model.latent_dim < number
    with torch.no_grad():
        assert torch.isfinite(found.vae.likelihood.nll(*[as_input(few.pixels, CPU)] * 2)).all()


def test_two_images_are_too_few(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="take 3 training images at least, got 2"):
        begin(images_of(discs(2), tmp_path), Split(np.arange(2), np.arange(1), np.arange(1)), linear(), CPU, tmp_path)
