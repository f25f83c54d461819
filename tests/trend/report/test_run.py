import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from page.reading import Page, check_whole, words_of_days
from trend.report.showing import ODD_NAMES, run_folder
from twofold.engine.errors import RunFolderError
from twofold.engine.files import write_arrays, write_parquet, write_text
from twofold.trend.config import ScoreConfig
from twofold.trend.recipes import departures, recipe
from twofold.trend.report import run as report
from twofold.trend.report import wording
from twofold.trend.report.run import RunView, reading

CONTRACT = (
    "scores.json",
    "config.json",
    "metrics.jsonl",
    "predictions.parquet",
    "panel.parquet",
    "arrays.npz",
    "tomorrow.parquet",
)


@pytest.fixture(scope="module")
def folder(computed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("page") / "run"
    shutil.copytree(computed, made)
    report.write(made)
    return made


@pytest.fixture
def small(computed: Path, tmp_path: Path) -> Path:
    shutil.copytree(computed, tmp_path / "small")
    return tmp_path / "small"


@pytest.fixture
def shown(small: Path, undrawn: None) -> Callable[..., Page]:
    """Writes the small folder's page, with blocks of its scores changed and its drawings left empty."""

    def page(**changes: Any) -> Page:
        scores = _scores(small)
        for block, change in changes.items():
            scores[block] = scores[block] | change if isinstance(change, dict) else change
        write_text(small / "scores.json", json.dumps(scores))
        report.write(small)
        return check_whole(_html(small))

    return page


def _html(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


def _scores(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "scores.json").read_text())


def _replace(folder: Path, name: str, **columns: pl.Expr) -> None:
    frame = pl.read_parquet(folder / name).with_columns(**columns)
    write_parquet(folder / name, frame)


def test_the_page_is_whole_and_loads_nothing(folder: Path) -> None:
    check_whole(_html(folder))
    assert len(_html(folder)) < 3_000_000


def test_odd_names_are_shown_as_they_are(folder: Path) -> None:
    page = check_whole(_html(folder))
    for name in ODD_NAMES:
        assert name in page.text
    assert "<script>alert" not in _html(folder)


def test_every_figure_lies_beside_the_page_as_svg_and_png(folder: Path) -> None:
    drawn = {path.stem for path in (folder / "figures").glob("*.svg")}
    heatmaps = {"heatmap-all", "heatmap-clustered", "heatmap-first"}
    assert heatmaps | {"learning-gru-0", "roc-test-active", "importance", "region-06"} <= drawn
    assert drawn == {path.stem for path in (folder / "figures").glob("*.png")}
    assert not [path for path in folder.rglob("*") if path.name.startswith(".aside")]
    figures = [named for tag, named in check_whole(_html(folder)).tags if tag == "svg" and named.get("role") == "img"]
    assert len(figures) == len(drawn) + 2  # the map, and the picture that the explorer fills
    assert (folder / "map.svg").is_file()


def test_without_correlations_the_page_says_so_and_draws_none(folder: Path, tmp_path: Path) -> None:
    for name in CONTRACT:
        shutil.copy(folder / name, tmp_path / name)
    write_arrays(tmp_path / "arrays.npz")
    report.write(tmp_path)
    assert "There are too many regions to keep and to draw the correlation" in check_whole(_html(tmp_path)).text
    assert not list((tmp_path / "figures").glob("heatmap-*"))


def test_the_same_files_give_the_same_bytes_wherever_they_lie(folder: Path, tmp_path: Path) -> None:
    for name in CONTRACT:
        shutil.copy(folder / name, tmp_path / name)
    write_text(tmp_path / "manifest.json", '{"host": "secret"}')
    report.write(tmp_path)
    for path in [folder / "report.html", folder / "map.svg", *(folder / "figures").iterdir()]:
        assert path.read_bytes() == (tmp_path / path.relative_to(folder)).read_bytes(), path.name


def test_simulated_data_says_so_and_real_data_does_not(folder: Path, shown: Callable[..., Page]) -> None:
    assert "SIMULATED DATA" not in check_whole(_html(folder)).text
    assert "SIMULATED DATA" in shown(simulated=True).text


def test_the_answer_comes_first_then_the_evidence_then_what_a_reviewer_needs(folder: Path) -> None:
    page = check_whole(_html(folder))
    assert wording.verdict(_scores(folder)["verdict"], 0.9) in page.text
    sections = [named["id"] for tag, named in page.tags if tag == "section"]
    assert sections[:3] == ["forecast", "verdict", "meaning"]
    assert set(sections[3:]) == {
        "regions", "models", "comparisons", "importance", "learning", "data", "screen", "windows", "split"
    }  # fmt: skip
    html = _html(folder)
    assert html.index("their log score is") < html.index('id="explorer-map"') < html.index("All regions")


def test_departures_from_the_original_study_are_said(shown: Callable[..., Page]) -> None:
    assert "The original study trained" not in shown().text
    departed = departures(recipe("original-gru-l7"))
    assert departed and wording.departures(departed) in shown(departures=departed).text


def test_every_null_is_a_dash(small: Path, shown: Callable[..., Page]) -> None:
    missing = dict.fromkeys(_scores(small)["test_active"])
    verdict = {"difference": None, "low": None, "high": None, "best_baseline": None, "significant": False}
    model = {"calibration": None, "epochs": {}}
    intervals = {"test_active": missing}
    write_text(small / "metrics.jsonl", "")
    page = shown(
        test_active=missing, intervals=intervals, verdict=verdict, model=model, importance=[], screen={"constant": []}
    )
    assert not [word for word in ("None", "nan", "null") if word in page.text]
    at = page.cells.index("Ensemble (headline)")
    assert page.cells[at + 1 : at + 10] == ["–"] * 9
    for words in ("No importance was computed", "No network was trained", "Skill on active windows is undefined"):
        assert words in page.text
    assert "Left out because" not in page.text


def test_the_best_of_a_column_is_marked_by_its_direction(shown: Callable[..., Page]) -> None:
    page = shown(test_active={"log_score": 0.001, "roc_auc": 0.001})
    at = page.cells.index("Ensemble (headline)")
    assert page.cells[at + 1].startswith("★ 0.001")
    assert page.cells[at + 4].startswith("0.001")


def test_a_model_that_is_the_headline_is_not_listed_twice(small: Path, shown: Callable[..., Page]) -> None:
    scores = _scores(small)
    page = shown(models={"gru": {"test": scores["test"], "test_active": scores["test_active"], "intervals": {}}})
    models = page.cells[page.cells.index("Models") :]
    assert "LSTM" in models and "GRU" not in models[: models.index("Base rate")]
    assert "equal the ensemble's: GRU." in page.text


def test_a_random_split_is_named_below_the_verdict(small: Path, shown: Callable[..., Page]) -> None:
    assert "The split is random and leaks" not in shown().text
    split = {"kind": "random", "leaks": _scores(small)["split"]["leaks"] | {"ahead": 7}}
    page = shown(split=split)
    assert "The split is random and leaks" in page.text
    assert "first tested origin" in page.text and "too good and say little" in page.text


def test_the_curves_of_all_members_are_folded_away(small: Path, shown: Callable[..., Page]) -> None:
    line = {"stage": "final", "epoch": 1, "train_loss": 0.6, "train_accuracy": 0.7}
    write_text(small / "metrics.jsonl", "".join(json.dumps(line | {"member": f"gru-{k}"}) + "\n" for k in range(6)))
    assert "The curves of 6 members" in shown().text


def test_of_two_sets_that_are_nearly_the_same_one_is_shown(small: Path, shown: Callable[..., Page]) -> None:
    table = _scores(small)["windows"]["table"]
    whole = next(line["windows"] for line in table if (line["split"], line["set"]) == ("test", "all"))

    def zero(windows: int) -> dict[str, Any]:
        key = ("test", "all_zero")
        return {
            "table": [line | {"windows": windows} if (line["split"], line["set"]) == key else line for line in table]
        }

    page = shown(windows=zero(1))
    assert f"All but 1 of the {whole} test windows are active, so the scores over all are nearly the same" in page.text
    assert "All scores on all test windows" not in page.text and "All scores on active test windows" in page.text
    assert "Every test window is active, so both sets are the same." in shown(windows=zero(0)).text
    page = shown(windows=zero(whole // 2))
    assert "All scores on all test windows" in page.text and "nearly the same" not in page.text


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (-0.3, -0.1, "Use these probabilities"),
        (0.1, 0.3, "Don't rely on these probabilities: "),
        (-0.1, 0.1, "Use these probabilities with care: "),
        (None, None, "nothing can be claimed: the difference may be chance"),
    ],
)
def test_the_first_sentence_says_what_to_trust_it_for(
    small: Path, shown: Callable[..., Page], low: float | None, high: float | None, said: str
) -> None:
    pairs = _scores(small)["comparisons"]["test_active"]
    changed = [pair | {"low": low, "high": high} if pair["score"] == "log_score" else pair for pair in pairs]
    text = " ".join(shown(comparisons={"test_active": changed}).text.split())
    assert said in text.partition("What these words mean")[0]


def test_windows_of_one_label_draw_no_curve(small: Path, shown: Callable[..., Page]) -> None:
    _replace(small, "predictions.parquet", label=pl.lit(False))
    page = shown()
    assert "the same label" in page.text
    assert not [named for _, named in page.tags if (named.get("aria-label") or "").startswith("ROC curves")]


def test_data_without_any_country_has_a_sentence_in_place_of_a_map(small: Path, shown: Callable[..., Page]) -> None:
    _replace(small, "tomorrow.parquet", iso2=pl.lit(None, pl.String))
    page = shown()
    assert "None of the regions is a country, so there is no map." in page.text
    assert not [named for _, named in page.tags if (named.get("aria-label") or "").startswith("World map")]


def test_weekly_data_is_described_in_weeks(shown: Callable[..., Page]) -> None:
    page = shown(data={"step_days": 1})
    assert "one per day" in page.text and "days but" in page.text
    page = shown(data={"step_days": 7})
    assert "one per week" in page.text and "days but" not in page.text


@pytest.mark.parametrize("kind", ["temporal", "random", "both"])
@pytest.mark.parametrize("days", ["train", "all"])
def test_a_weekly_page_says_nothing_of_days(small: Path, shown: Callable[..., Page], kind: str, days: str) -> None:
    shown(data={"step_days": 7}, split={"kind": kind}, screen={"days": days})
    assert words_of_days(_html(small)) == []
    assert "next_day</code> is the next week" in _html(small)
    shown(data={"step_days": 1})
    assert words_of_days(_html(small)) and "is the next week" not in _html(small)


def test_a_weekly_run_says_nothing_of_days_in_its_figures_either(tmp_path: Path) -> None:
    out = run_folder(tmp_path / "run", step=7)
    report.write(out)
    assert words_of_days(_html(out)) == []
    assert "rises in the week of 2021-08-30" in check_whole(_html(out)).text


def test_from_too_few_dates_no_interval_is_promised_and_nothing_is_claimed(
    small: Path, shown: Callable[..., Page]
) -> None:
    _replace(small, "predictions.parquet", origin=pl.col("origin").dt.truncate("4d"))
    scores = _scores(small)
    dates = pl.read_parquet(small / "predictions.parquet").filter(split="test")["origin"].n_unique()
    assert 3 <= dates < 6
    config = json.loads((small / "config.json").read_text())
    none = {part: dict.fromkeys(scores["test"]) for part in ("test", "test_active", "train")}

    def without(block: dict[str, Any]) -> dict[str, Any]:
        return block | {"intervals": none}

    pairs = {
        part: [pair | {"low": None, "high": None} for pair in found] for part, found in scores["comparisons"].items()
    }
    page = shown(
        intervals=none,
        models={name: without(block) for name, block in scores["models"].items()},
        baselines={name: without(block) for name, block in scores["baselines"].items()},
        comparisons=pairs,
        verdict=scores["verdict"] | {"low": None, "high": None, "dates": dates, "significant": False},
    )
    assert config["score"]["block_days"] == 3
    assert f"needs two of them, 6 days, and here only {dates} days were scored. So nothing is claimed" in page.text
    assert "intervals" not in page.text.replace("There are no intervals", "").partition("Settings of this")[0]
    assert "significant" not in page.text.partition("Settings of this")[0]
    at = page.cells.index("Ensemble (headline)")
    assert page.cells[at + 1].endswith("–") and page.cells[at + 1] != "–"
    assert "from too few days to tell it from chance" in page.text


@pytest.mark.parametrize("kind", ["regions", "both"])
def test_a_split_by_region_says_so(shown: Callable[..., Page], kind: str) -> None:
    page = shown(split={"kind": kind})
    assert "says little about another time" in page.text and "too good and say little" not in page.text
    assert "Shaded" not in page.text


def test_a_set_of_every_region_or_of_one_is_described(small: Path, shown: Callable[..., Page]) -> None:
    _replace(small, "tomorrow.parquet", in_c=pl.col("region") == ODD_NAMES[0])
    page = shown(screen={"threshold": None, "days": "all"})
    assert "no threshold was set" in page.text and "C was chosen on all days" in page.text
    assert "test days too. That looks ahead" not in page.text
    at = page.cells.index("Went up")
    assert page.cells[at + 1] == ODD_NAMES[0] and page.cells[at + 6] == "yes" and page.cells[at + 15] == "no"
    assert "test days too. That looks ahead" in shown(screen={"threshold": 0.7, "days": "all"}).text


@pytest.mark.parametrize(
    ("low", "high", "score", "said"),
    [
        (None, None, "log_score", "undefined"),
        (-0.01, 0.02, "log_score", "unclear"),
        (0.01, 0.02, "log_score", "worse"),
        (0.01, 0.02, "roc_auc", "better"),
    ],
)
def test_a_difference_is_read_by_its_interval_and_the_score(
    low: float | None, high: float | None, score: str, said: str
) -> None:
    pair = {"difference": 0.015, "low": low, "high": high, "score": score}
    assert reading(pair, True) == said
    assert reading(pair, False) == ("undefined" if low is None else "unclear")


@pytest.mark.parametrize(
    ("value", "ends", "said"),
    [
        (None, None, "undefined"),
        (0.1, None, "unsure"),
        (0.1, [0.01, 0.2], "better"),
        (-0.1, [-0.2, -0.01], "worse"),
        (0.1, [-0.01, 0.2], "unclear"),
    ],
)
def test_skill_is_read_by_its_interval(value: float | None, ends: list[float] | None, said: str) -> None:
    none, scored = pl.DataFrame(), ScoreConfig(block_days=1)
    scores = {"test_active": {"brier_skill": value}, "intervals": {"test_active": {"brier_skill": ends}}}
    for dates, judged in ((4, said), (3, "undefined" if value is None else "unsure")):
        windows = pl.DataFrame({"split": "test", "active": True, "origin": range(dates)})
        assert RunView(scores, scored, [], windows, none, none).skill == judged


@pytest.mark.parametrize(
    ("significant", "difference", "kind", "trusted"),
    [
        (True, -0.1, "temporal", True),
        (True, 0.1, "temporal", False),
        (False, -0.1, "temporal", False),
        (False, None, "temporal", False),
        (True, -0.1, "random", False),
    ],
)
def test_only_a_significant_gain_without_leakage_is_trusted(
    significant: bool, difference: float | None, kind: str, trusted: bool
) -> None:
    none = pl.DataFrame()
    scores = {"verdict": {"significant": significant, "difference": difference}, "split": {"kind": kind}}
    assert RunView(scores, ScoreConfig(), [], none, none, none).trusted is trusted


def test_a_missing_file_is_named(small: Path) -> None:
    (small / "arrays.npz").unlink()
    with pytest.raises(RunFolderError, match=r"arrays\.npz: was written there and is missing"):
        report.write(small)
