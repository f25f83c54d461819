"""Study 1: the calibrated probability that a region's case count rises.

In order: `config`, `recipes`, `windows`, `features`, `model`, `train`, `renewal`, `baselines`, `calibrate`, `fit`,
`forecast`, `judge`, `importance`, `run`, `diagnosis`; `walk` and `original` build on these; `commands` alone knows
`report`.
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twofold.trend.forecast import Forecaster


def load(run: str | Path) -> "Forecaster":
    """Opens the model of a finished run.

    Args:
        run: a run folder, as `twofold trend run` wrote it.

    Returns:
        A forecaster; `load(run).predict(frame)` gives each region's probability for the date after the last.

    Raises:
        RunFolderError: when the folder holds no finished trend run.
    """
    from twofold.trend.forecast import Forecaster

    return Forecaster.open(Path(run))
