"""One thread per test: several tests run at a time, and these networks are small."""

import pytest
import torch

from twofold.vae.latent import Autoencoder
from twofold.vae.model import Vae
from vae.small import tiny


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def model() -> Autoencoder:
    """An untrained autoencoder."""
    return Autoencoder(Vae.seeded(tiny(), 3).eval(), tiny())
