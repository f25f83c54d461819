"""Models of vae runs that are open: loaded when first used, a few at a time, dropped when nobody uses them."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from twofold.app.runs import Run

if TYPE_CHECKING:
    from twofold.vae.latent import Autoencoder

MOST_OPEN = 3
"""Models in memory; of more the one unused for longest goes."""
IDLE_S = 600.0
"""Seconds without use after which a model goes."""
FILE = "model.safetensors"


@dataclass
class _Open:
    used: float
    model: "Autoencoder | None" = None
    lock: threading.Lock = field(default_factory=threading.Lock)


class Models:
    """The open models, by their file and its time, so that a run that was made again is loaded again; thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._open: dict[tuple[str, int], _Open] = {}  # the one used last stands last
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def use(self, run: Run) -> "Iterator[Autoencoder]":
        """A run's model, for one thread at a time.

        Raises:
            Refused: when there is no model file.
            RunFolderError: when it holds no model.
        """
        path = run.file(FILE)
        key = str(path), path.stat().st_mtime_ns
        with self._lock:
            held = self._open.pop(key, None) or _Open(self._clock())
            self._open[key] = held
            while len(self._open) > MOST_OPEN:
                del self._open[next(iter(self._open))]  # whoever uses it right now still holds it
        with held.lock:
            if held.model is None:
                from twofold.vae.latent import Autoencoder

                held.model = Autoencoder.open(run.folder)
            held.used = self._clock()
            yield held.model

    def drop_idle(self) -> None:
        """Closes the models that were not used for `IDLE_S` seconds."""
        with self._lock:
            oldest = self._clock() - IDLE_S
            self._open = {key: held for key, held in self._open.items() if held.used > oldest}

    @property
    def number(self) -> int:
        """How many models are open."""
        return len(self._open)
