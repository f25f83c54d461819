"""How long is tuned, and by whom."""

import re
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Annotated

import tyro
from pydantic import Field

from twofold.engine.config import Config
from twofold.engine.errors import InputError

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(text: str) -> float:
    """A length of time in seconds.

    Raises:
        ValueError: when it is none.

    Example:
        >>> seconds("30m"), seconds("1.5h"), seconds("90s")
        (1800.0, 5400.0, 90.0)
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text)
    if not found or not float(found[1]):
        raise ValueError(f"must be a number above 0 with its unit, such as 90s, 30m or 2h, got {text!r}")
    return float(found[1]) * _UNITS[found[2]]


def duration(value: float) -> str:
    """A length of time in words that `seconds` reads.

    Example:
        >>> duration(1800.0), duration(90.0), duration(7200.0)
        ('30m', '90s', '2h')
    """
    unit = next(unit for unit in ("h", "m", "s") if unit == "s" or (value >= _UNITS[unit] and not value % _UNITS[unit]))
    return f"{value / _UNITS[unit]:.12g}{unit}"


Duration = Annotated[
    float,
    tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar="TIME",
        instance_from_str=lambda words: seconds(words[0]),
        is_instance=lambda value: isinstance(value, float),
        str_from_instance=lambda value: [duration(value)],
    ),
]


class TuneConfig(Config):
    """How long is tuned."""

    budget_s: float = Field(gt=0.0, allow_inf_nan=False)
    """Wall time of all trials, over all commands on the folder."""
    trial_s: float = Field(default=0.0, ge=0.0, allow_inf_nan=False)
    """Wall time that a trial's training is fitted to; 0: it goes by the config's own budget."""
    trials: int = Field(default=0, ge=0)
    """Trials at most; 0: as many as the budget allows."""


@dataclass(frozen=True)
class Tuning:
    """How long is tuned, and by whom."""

    budget: Duration = 1800.0
    """Wall time in all, over all commands on this folder: 90s, 30m, 2h. No trial begins that would likely exceed it."""
    trials: Annotated[int, tyro.conf.arg(metavar="N")] = 0
    """Trials at most; 0: as many as the budget allows."""
    jobs: Annotated[int, tyro.conf.arg(metavar="N")] = 0
    """Trials at the same time, each by one thread of a process of its own; 0: one for each core."""
    storage: Annotated[str | None, tyro.conf.arg(metavar="URL")] = None
    """PostgreSQL database, postgresql://USER@HOST/NAME, that the commands of several machines share; by default a file
    in the folder. Put the password into ~/.pgpass or PGPASSWORD; one in the address is written nowhere."""

    def check(self) -> None:
        """Refuses options that are out of bounds, or that need what isn't installed.

        Raises:
            InputError: says what to do.
        """
        for option, value in (("trials", self.trials), ("jobs", self.jobs)):
            if value < 0:
                raise InputError(f"--{option}: must be 0 or more, got {value}")
        missing = [name for name in ("optuna", *(("psycopg",) if self.storage else ())) if not find_spec(name)]
        if missing:
            raise InputError(f"needs {', '.join(missing)}; install with `pip install 'twofold[tune]'`")
