"""Study 2: a variational autoencoder on a folder of images, and the effect of its KL term's weight.

In order: `config`, `recipes`, `images`, `likelihood`, `objective`, `model`, `score`, `linear`, `train`, `latent`,
`account`, `pictures`, `run`, `sandwich` (closed forms), `sweep`; `commands` alone knows `report`.
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twofold.vae.latent import Autoencoder


def load(run: str | Path) -> "Autoencoder":
    """Opens the model of a finished run, or of one run of a sweep.

    Raises:
        RunFolderError: when the folder holds no finished vae run.
    """
    from twofold.vae.latent import Autoencoder

    return Autoencoder.open(Path(run))
