"""Calibration of probabilities by a non-decreasing map, fitted on a calibration set."""

import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import expit, logit
from sklearn.exceptions import ConvergenceWarning
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from twofold.engine.errors import InputError

Method = Literal["identity", "temperature", "isotonic"]
Probability = Float[np.ndarray, "windows"]

FEWEST_WINDOWS = 10
"""Of fewer windows a calibration is as much chance as finding."""
ONE_VALUE = 1e-6
"""Log odds that differ by less are one probability, and a scale below this is none."""


@dataclass(frozen=True)
class Calibration:
    """A fitted calibration; numbers and texts only, so that a saved model needs no pickle.

    Attributes:
        method: `identity` leaves probabilities unchanged.
        windows: size of the calibration set.
        scale: of the log odds, above 0 (temperature; 1 / scale is the temperature of Guo et al.).
        shift: of the log odds after scaling (temperature).
        thresholds: probabilities, increasing (isotonic).
        values: calibrated probabilities at `thresholds`, with linear interpolation; constant outside (isotonic).
        note: why the configured method was not applied, else empty.
    """

    method: Method
    windows: int = 0
    scale: float = 1.0
    shift: float = 0.0
    thresholds: tuple[float, ...] = ()
    values: tuple[float, ...] = ()
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """For JSON, without loss."""
        return asdict(self) | {"thresholds": list(self.thresholds), "values": list(self.values)}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "Calibration":
        """The inverse of `to_dict`.

        Raises:
            InputError: when a key is missing or unknown, or the method is unknown.
        """
        names, methods = sorted(field.name for field in fields(cls)), sorted(get_args(Method))
        if sorted(stored) != names:
            raise InputError(f"calibration must have exactly the keys {names}, got {sorted(stored)}")
        if stored["method"] not in methods:
            raise InputError(f"calibration.method must be one of {methods}, got {stored['method']!r}")
        return cls(
            method=stored["method"],
            windows=int(stored["windows"]),
            scale=float(stored["scale"]),
            shift=float(stored["shift"]),
            thresholds=tuple(map(float, stored["thresholds"])),
            values=tuple(map(float, stored["values"])),
            note=str(stored["note"]),
        )


def identity(windows: int = 0, note: str = "") -> Calibration:
    """The calibration that changes nothing."""
    return Calibration("identity", windows, note=note)


def fit_calibration(
    method: Literal["temperature", "isotonic"],
    probability: Probability,
    label: Bool[np.ndarray, "windows"],
    *,
    days: int = 1,
    prior_days: float = 0.0,
) -> Calibration:
    """Fits a calibration on windows that no model was trained on.

    `temperature` scales and shifts the log odds, p' = sigmoid(scale * logit(p) + shift): Platt scaling on the log
    odds, or temperature scaling with a bias. It is fitted by maximum likelihood with Platt's smoothed targets in
    place of 0 and 1, which keep the fit finite on a small separable set; a best scale that is not positive would
    level or reverse the order of the forecasts and is refused. `isotonic` is the best non-decreasing step function in
    squared error, clipped to [1 / (n + 2), (n + 1) / (n + 2)] so that no forecast becomes certain; it needs some 100
    windows.

    Args:
        method: `temperature` or `isotonic`.
        probability: forecast probability of "up".
        label: the outcome.
        days: number of days of the calibration set.
        prior_days: weight in days of the prior, the identity; 0: none.

    Returns:
        The calibration; the identity, with a note, when none can be fitted (fewer than 10 windows, one class only, one
        probability only for `temperature`, or a scale that is not positive).

    Source:
        Platt (1999), Probabilistic outputs for support vector machines, in Advances in Large Margin Classifiers,
        section 2.2; Guo et al. (2017), On calibration of modern neural networks, ICML, section 4.2; Zadrozny & Elkan
        (2002), Transforming classifier scores into accurate multiclass probability estimates, KDD (isotonic).
    """
    n = label.size
    if not n:
        return identity(0, "the calibration slice holds no window; probabilities are left as they are")
    if n < FEWEST_WINDOWS:
        few = f"the calibration slice holds {n} windows, fewer than {FEWEST_WINDOWS}"
        return identity(n, f"{few}; probabilities are left as they are")
    if label.all() or not label.any():
        return identity(n, "the calibration slice holds windows of one class only; probabilities are left as they are")
    p = probability.astype(np.float64)
    # The windows of a day are correlated, so the set counts as many observations as it has days. The forecasts
    # themselves are the outcomes of the prior days, which shrinks the fit towards the identity.
    trust = days / (days + prior_days)
    if method == "temperature":
        n_up = int(label.sum())
        platt = np.where(label, (n_up + 1) / (n_up + 2), 1 / (n - n_up + 2))
        return _fit_temperature(p, trust * platt + (1 - trust) * p)
    isotonic = IsotonicRegression(y_min=1 / (n + 2), y_max=(n + 1) / (n + 2), out_of_bounds="clip")
    isotonic.fit(p, trust * label + (1 - trust) * p)
    thresholds, values = (tuple(map(float, array)) for array in (isotonic.X_thresholds_, isotonic.y_thresholds_))
    return Calibration("isotonic", n, thresholds=thresholds, values=values)


def apply_calibration(calibration: Calibration, probability: Probability) -> Probability:
    """Calibrated probabilities, in the same order."""
    p = probability.astype(np.float64)
    if calibration.method == "temperature":
        return expit(calibration.scale * _log_odds(p) + calibration.shift)
    return np.interp(p, calibration.thresholds, calibration.values) if calibration.method == "isotonic" else p


def _fit_temperature(p: Probability, target: Probability) -> Calibration:
    odds, n = _log_odds(p), target.size
    if np.ptp(odds) < ONE_VALUE:
        return identity(n, "all windows of the calibration slice have one probability; it is left as it is")
    # A logistic regression on soft targets: each window is "up" with its target as weight, and "not up" with the rest.
    # Newton on two parameters reaches the optimum up to rounding; C = inf switches the regularisation off.
    model = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-10, max_iter=200)
    outcome, weight = np.repeat([True, False], n), np.concatenate([target, 1.0 - target])
    with warnings.catch_warnings():
        # Started at the optimum up to rounding, Newton's line search finds nothing lower; scikit-learn warns and ends
        # the fit by L-BFGS.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(np.concatenate([odds, odds])[:, None], outcome, sample_weight=weight)
    scale, shift = float(np.ravel(model.coef_)[0]), float(np.ravel(model.intercept_)[0])
    if abs(scale) < ONE_VALUE:
        return identity(
            n, "on the calibration slice the forecasts say nothing of the outcomes; probabilities are left as they are"
        )
    if scale < 0.0:
        return identity(
            n,
            f"the calibration slice would turn the order of the forecasts round (scale {scale:.3g} of the log odds); "
            "probabilities are left as they are",
        )
    return Calibration("temperature", n, scale=scale, shift=shift)


def _log_odds(p: Probability) -> Float[np.ndarray, "windows"]:
    return logit(np.clip(p, 1e-6, 1.0 - 1e-6))
