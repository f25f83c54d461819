"""Any point of a space."""

from collections.abc import Sequence
from typing import Any

import optuna
from hypothesis import strategies as st

from twofold.engine.config import AnyConfig
from twofold.tune.space import Choice, Knob, draw, with_values


def drawn(data: st.DataObject, knobs: Sequence[Knob], base: AnyConfig) -> AnyConfig:
    """A config whose settings hypothesis draws."""

    def value(knob: Knob) -> Any:
        if isinstance(knob, Choice):
            return data.draw(st.sampled_from(knob.values))
        whole = isinstance(knob.low, int) and isinstance(knob.high, int)
        return data.draw((st.integers if whole else st.floats)(knob.low, knob.high))  # pyright: ignore

    trial = optuna.trial.FixedTrial({knob.name: value(knob) for knob in knobs})
    return with_values(base, draw(knobs, base, trial))  # pyright: ignore[reportArgumentType]
