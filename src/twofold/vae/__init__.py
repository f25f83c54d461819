"""Study 2: a variational autoencoder on a folder of images, and what the weight of its KL term does."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twofold.vae.latent import Autoencoder


def load(run: str | Path) -> "Autoencoder":
    """Opens the model of a finished run.

    Args:
        run: a run folder, as `twofold vae run` wrote it, or one run of a sweep.

    Returns:
        An autoencoder; `z = load(run).encode(x)` and `x = load(run).decode(z)` go both ways.

    Raises:
        RunFolderError: when the folder holds no finished vae run.
    """
    from twofold.vae.latent import Autoencoder

    return Autoencoder.open(Path(run))
