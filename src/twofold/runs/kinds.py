"""The kinds of run folders: how each is told from its config, and where it keeps its scores."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, NotRequired, TypedDict

from twofold.engine.config import Config
from twofold.engine.errors import InputError

Found = dict[str, Any]
"""The content of a run's file of scores."""


class Score(TypedDict):
    """A score, with its interval or its standard error where there is one."""

    value: float | None
    interval: NotRequired[list[float] | None]
    standard_error: NotRequired[float | None]


def written(score: Score, sign: str = "") -> tuple[str, str]:
    """Its value, and its interval or standard error, all with the same number of decimals."""
    value, interval, error = score["value"], score.get("interval"), score.get("standard_error")
    if value is None or isinstance(value, int):
        return "-" if value is None else f"{value:{sign},}", ""
    largest = max(map(abs, (value, *(interval or ()))))
    form = f"{sign},.{1 if largest >= 100 else 4 if largest >= 0.01 or not largest else 7}f"
    if interval:
        return f"{value:{form}}", " to ".join(f"{end:{form}}" for end in interval)
    return f"{value:{form}}", "" if error is None else f"± {error:{form.removeprefix('+')}}"


def is_score(found: Mapping[str, Any]) -> bool:
    """Whether what a file gives for a score holds numbers where a score does."""
    interval = found.get("interval")
    ends = interval if isinstance(interval, list) else []
    may_lack = [each for each in (found["value"], found.get("standard_error")) if each is not None]
    return all(type(each) in (int, float) for each in [*may_lack, *ends]) and (not interval or len(ends) == 2)


class Headline(TypedDict):
    """The one figure by which a run is listed."""

    score: str
    value: float | str | None


class Kind(NamedTuple):
    """A kind of run folder."""

    name: str
    """Words of the command that makes it; for hubs, what it holds."""
    mark: str
    """A setting, or group of settings, that the configs of this kind alone have."""
    file: str
    """The file of scores."""
    headline: Callable[[Found], Headline]
    scores: Callable[[Found], dict[str, Score]]
    default: Callable[[Found], Config]
    """The config that options are given to, from a run's own config: that of its recipe."""
    about: tuple[str, ...] = ()
    """What the file of scores tells of the task and the config does not."""


def kind_of(config: Found) -> Kind | None:
    """The kind of a run with this config; None: unknown."""
    return next((kind for kind in KINDS if kind.mark in config), None)


def _of_recipe(recipe: Callable[[str], Config], name: object, default: str) -> Config:
    try:
        return recipe(str(name))
    except InputError:  # a recipe that this version doesn't know
        return recipe(default)


def _trend_default(config: Found) -> Config:
    from twofold.trend.recipes import recipe

    return _of_recipe(recipe, config.get("recipe"), "default")


def _trend_part(found: Found) -> str:
    """The set of windows that the run's verdict is on: those with a case, where there are such."""
    return found["verdict"]["set"]


def _trend_scores(found: Found) -> dict[str, Score]:
    part = _trend_part(found)
    ends = found["intervals"][part] or {}
    return {name: {"value": value, "interval": ends.get(name)} for name, value in found[part].items()}


def _walk_default(config: Found) -> Config:
    from twofold.trend.recipes import walk_recipe

    return _of_recipe(walk_recipe, config.get("recipe"), "walk-next-day")


def _walk_scores(found: Found) -> dict[str, Score]:
    pool = found["models"]["pool"]
    ends = pool["intervals"]["active"] or {}
    return {name: {"value": value, "interval": ends.get(name)} for name, value in pool["active"].items()}


def _study_default(_: Found) -> Config:
    from twofold.trend.config import StudyConfig

    return StudyConfig()


def _study_scores(found: Found) -> dict[str, Score]:
    """Mean test accuracy over the seeds, of each network of the grid."""
    return {
        f"accuracy: {cell['cell']}, layers {cell['layers']}, length {cell['length']}, from {cell['start']}": {
            "value": sum(cell["test_accuracy"]) / len(cell["test_accuracy"])
        }
        for cell in found["grid"]
    }


def _study_headline(found: Found) -> Headline:
    """Of the original's own setting."""
    [value] = [
        score["value"] for name, score in _study_scores(found).items() if "gru, layers 1, length 7, from 0" in name
    ]
    return {"score": "accuracy, gru", "value": value}


def _vae_default(config: Found) -> Config:
    from twofold.vae.recipes import recipe

    return _of_recipe(recipe, config.get("recipe"), "default")


_VAE = "bits_per_dim", "negative_elbo_nats", "rate_nats", "distortion_nats", "iw_bound_nats", "mse"


def _vae_scores(found: Found) -> dict[str, Score]:
    test = found["test"]
    scores: dict[str, Score] = {
        name: {"value": test[name], "standard_error": test["standard_errors"].get(name)} for name in _VAE
    }
    scores["used_units"] = {"value": test["used_units"]}
    return scores


def _vae_headline(found: Found) -> Headline:
    name = "negative_elbo_nats" if found["test"]["bits_per_dim"] is None else "bits_per_dim"
    return {"score": name, "value": found["test"][name]}


def _sweep_default(config: Found) -> Config:
    from twofold.vae.config import SweepConfig, VaeConfig

    base = _vae_default(config["base"])
    assert isinstance(base, VaeConfig)
    return SweepConfig(base=base, betas=(0.0, 1.0, 100.0), seeds=(base.seed,))


def _sweep_scores(found: Found) -> dict[str, Score]:
    """The negative ELBO (beta = 1) of each run."""
    return {
        f"negative_elbo_nats: beta {run['beta']:g}, seed {run['seed']}": {
            "value": run["scores"]["test"]["negative_elbo_nats"],
            "standard_error": run["scores"]["test"]["standard_errors"]["negative_elbo_nats"],
        }
        for run in found["runs"]
    }


def _sweep_headline(found: Found) -> Headline:
    best = min(found["runs"], key=lambda run: run["scores"]["test"]["negative_elbo_nats"])
    test = best["scores"]["test"]
    return {"score": f"lowest negative_elbo_nats, beta {best['beta']:g}", "value": test["negative_elbo_nats"]}


def _trend_tune_default(config: Found) -> Config:
    from twofold.trend.config import TrendConfig, TrendTuneConfig
    from twofold.tune.config import TuneConfig, Tuning

    base = _trend_default(config["trend"])
    assert isinstance(base, TrendConfig)
    return TrendTuneConfig(trend=base, tune=TuneConfig(budget_s=Tuning().budget))


def _vae_tune_default(config: Found) -> Config:
    from twofold.tune.config import TuneConfig, Tuning
    from twofold.vae.config import TRIAL_S, VaeConfig, VaeTuneConfig

    base = _vae_default(config["vae"])
    assert isinstance(base, VaeConfig)
    return VaeTuneConfig(vae=base, tune=TuneConfig(budget_s=Tuning().budget, trial_s=TRIAL_S))


def _tune_scores(found: Found) -> dict[str, Score]:
    """The figure on validation data of the best trial, and of the settings given."""
    rows = {"best": found["best"], "given": found["default"]}
    return {f"validation {found['figure']}: {name}": {"value": row and row["value"]} for name, row in rows.items()}


def _tune_headline(found: Found) -> Headline:
    return {"score": f"validation {found['figure']}", "value": found["best"]["value"]}


def _hub_default(_: Found) -> Config:
    from twofold.hub.config import HubConfig

    return HubConfig()


def _hub_scores(found: Found) -> dict[str, Score]:
    """Of the default model: those of categories, where the hub asks for them, and of quantiles."""
    categories = found["models"][found["default"]] if "models" in found else {}
    quantiles = found["quantile"]["models"][found["quantile"]["default"]]
    scores: dict[str, Score] = {}
    for block, names in (
        (categories, ("rps", "relative_rps", "log_score", "brier_score", "accuracy", "ece")),
        (quantiles, ("wis", "relative_wis", "log_wis", "coverage_50", "coverage_95")),
    ):
        scores |= {name: {"value": block[name]} for name in names if name in block}
    return scores


def _hub_headline(found: Found) -> Headline:
    name = "rps" if "models" in found else "relative_wis"
    return {"score": name, "value": _hub_scores(found)[name]["value"]}


def _model_scores(found: Found) -> dict[str, Score]:
    """The pool's weights."""
    return {f"weight: {name}": {"value": weight} for name, weight in found["weights"].items()}


HUB_MODEL = Kind(
    "hub model",
    "",
    "model.safetensors",
    lambda found: {"score": "fitted for", "value": found["fitted_for"]},
    _model_scores,
    _hub_default,
)
"""What `twofold hub fit` saves; it is no run folder, since it may be written into any folder."""
KINDS = (
    Kind(
        "trend backtest",
        "walk",
        "scores.json",
        lambda found: {"score": "log_score", "value": found["models"]["pool"]["active"]["log_score"]},
        _walk_scores,
        _walk_default,
    ),
    Kind("trend study", "lengths", "study.json", _study_headline, _study_scores, _study_default),
    Kind(
        "trend run",
        "screen",
        "scores.json",
        lambda found: {"score": "log_score", "value": found[_trend_part(found)]["log_score"]},
        _trend_scores,
        _trend_default,
    ),
    Kind("vae sweep", "betas", "sweep.json", _sweep_headline, _sweep_scores, _sweep_default),
    Kind("trend tune", "trend", "tune.json", _tune_headline, _tune_scores, _trend_tune_default),
    Kind("vae tune", "vae", "tune.json", _tune_headline, _tune_scores, _vae_tune_default),
    Kind("vae run", "objective", "scores.json", _vae_headline, _vae_scores, _vae_default),
    Kind(
        "hub backtest",
        "heads",
        "scores.json",
        _hub_headline,
        _hub_scores,
        _hub_default,
        about=("hub", "season"),
    ),
)
"""In the order in which they are tried: a backtest's config has the groups of a run's, too."""
