import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from matplotlib.figure import Figure

from hub.small import (
    CHANGE,
    DEFAULT,
    OURS,
    PEERS,
    PLACES,
    RULES,
    START,
    WEEKS,
    change,
    forecasts_of,
    hub_folder,
    truth_of,
)
from page.reading import Page, check_whole
from page.reading import read as read_html
from twofold.engine.errors import InputError, RunFolderError
from twofold.engine.files import write_parquet, write_text
from twofold.hub.report import view
from twofold.hub.report.rates import RateView
from twofold.hub.rules import WEEK
from twofold.hub.run import SEEN
from twofold.page import numbers

EVIL = "<b>bold</b><script>alert(1)</script>"
Sections = dict[str, Page]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = hub_folder(tmp_path_factory.mktemp("hub") / "run")
    view.write(made)
    return made


@pytest.fixture(scope="module")
def found(folder: Path) -> RateView:
    return _rates(folder)


@pytest.fixture(scope="module")
def sections(folder: Path) -> Sections:
    return _sections(_html(folder))


@pytest.fixture
def write(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], str]:
    """Writes a folder's page; its figures are made and not drawn, which takes most of the time."""
    monkeypatch.setattr("twofold.page.album.to_svg", lambda figure: "<svg></svg>")
    return lambda made: view.write(made).read_text(encoding="utf-8")


def _rates(folder: Path) -> RateView:
    found = view.read(folder).rates
    assert found is not None
    return found


def _html(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


def _sections(html: str) -> Sections:
    return {match[1]: read_html(match[0]) for match in re.finditer(r'<section id="(\w+)".*?</section>', html, re.S)}


def _edit(folder: Path, name: str, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    path = folder / f"{name}.parquet"
    write_parquet(path, change(pl.read_parquet(path)))


def test_the_page_is_whole_and_loads_nothing(folder: Path) -> None:
    page = check_whole(_html(folder))
    assert not [load for load in page.loads if load.startswith(("http", "//"))]
    assert "src=" not in _html(folder)
    assert len(_html(folder)) < 3_000_000


def test_the_same_folder_gives_the_same_bytes(folder: Path) -> None:
    before = _html(folder)
    view.write(folder)
    assert _html(folder) == before


def test_every_section_stands_in_the_contents(folder: Path) -> None:
    page = check_whole(_html(folder))
    sections = [named["id"] for name, named in page.tags if name == "section"]
    assert len(sections) == 14 and {f"#{name}" for name in sections} <= set(page.loads)


def test_without_peers_the_page_says_so(tmp_path: Path, write: Callable[[Path], str]) -> None:
    made = hub_folder(tmp_path, peers=False)
    change(made, differences={})
    page = check_whole(write(made))
    assert "There is no forecast of the hub's ensemble" in page.text
    assert "There is no other model to compare with." in page.text
    assert "there is nothing to compare" in page.text
    assert not list((made / "figures").glob("map-skill*")) and not (made / "figures/by-horizon-relative.svg").exists()


def test_without_a_shape_there_is_a_sentence_and_no_map(tmp_path: Path, write: Callable[[Path], str]) -> None:
    made = hub_folder(tmp_path, places=("DE", "FR", "IT"))
    assert "None of the hub's places has a shape" in check_whole(write(made)).text
    assert not list((made / "figures").glob("map-*"))


def test_a_place_without_a_shape_is_listed(tmp_path: Path, write: Callable[[Path], str]) -> None:
    made = hub_folder(tmp_path, places=("01", "XX", "US"), names={"XX": "Atlantis"})
    text = _sections(write(made))["map"].text
    assert "Places that the map can't show: 1" in text and "Atlantis: RPS over the ensemble's" in text


def test_names_cannot_become_markup(tmp_path: Path, write: Callable[[Path], str]) -> None:
    forecasts = pl.concat([forecasts_of(name, k, WEEKS) for k, name in enumerate([*OURS, *PEERS, f"Cteam-{EVIL}"])])
    made = hub_folder(tmp_path, forecasts=forecasts, names={"56": EVIL})
    change(made, notes=[EVIL], skipped=[{"reference_date": EVIL, "reason": EVIL}])
    html = write(made)
    assert "<b>" not in html and html.count("<script") == 2  # the explorer's data and program
    assert EVIL in check_whole(html).text


def test_another_hub_brings_its_rules(tmp_path: Path, write: Callable[[Path], str]) -> None:
    categories = ("down", "flat", "up")
    three = CHANGE.model_copy(update={"categories": categories, "large_above": ()})
    other = RULES.model_copy(update={"hub": "elsewhere", "rate_change": three, "note": "Moved."})
    names = dict(zip(CHANGE.categories, (*categories, None, None), strict=True))
    models = pl.concat([forecasts_of(name, k, WEEKS) for k, name in enumerate([*OURS, *PEERS])])
    kept = models.with_columns(category=pl.col("category").replace_strict(names)).drop_nulls("category")
    total = pl.col("probability").sum().over("model", "reference_date", "horizon", "location")
    truth = truth_of(3, WEEKS).with_columns(observed=pl.col("observed") % 3)
    made = hub_folder(tmp_path, forecasts=kept.with_columns(pl.col("probability") / total), truth=truth, rules=other)
    with pytest.raises(InputError, match="hub must be one of covid, flusight, rsv"):
        write(made)
    write_text(made / "rules.json", other.to_json())
    change(made, notes=["Moved."])  # a run's notes hold that of its rules
    text = check_whole(write(made)).text
    assert "elsewhere" in text and text.count("Moved.") == 1


@pytest.mark.parametrize("name", ["scores.json", "predictions.parquet", "truth.parquet", "known.parquet"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    made = hub_folder(tmp_path)
    (made / name).unlink()
    with pytest.raises(RunFolderError, match=name):
        view.write(made)


def test_the_best_peer_is_neither_ours_nor_the_hub_s(tmp_path: Path) -> None:
    made = hub_folder(tmp_path)
    block = {"relative_rps": 0.5, "rps": 0.1}
    order = ["us-pool", "us-climate", "FluSight-other", "FluSight-ensemble", "Bteam-wave", "Ateam-wave"]
    change(made, common={name: block | {"relative_rps": 0.1 * k} for k, name in enumerate(order)})
    found = _rates(made)
    assert found.best_peer == "Bteam-wave"
    assert found.shown == [DEFAULT, "FluSight-ensemble", "Bteam-wave", "FluSight-baseline_cat"]


def test_models_without_relative_rps_are_ranked_last_by_rps(tmp_path: Path) -> None:
    made = hub_folder(tmp_path)
    change(made, common={"a": {"relative_rps": None, "rps": 2.0}, "b": {"rps": 1.0}, "c": {"relative_rps": 9.0}})
    found = _rates(made)
    assert [name for name, _ in found.ranked("common")] == ["c", "b", "a"]
    assert found.rank is None
    assert (found.best("common")["relative_rps"], found.best("common")["rps"]) == (None, 1.0)


def test_compare_takes_what_both_forecast(found: RateView) -> None:
    table = found.compare("Ateam-wave", ["location"])
    assert table["location"].to_list() == list(PLACES) and table["n"].to_list() == [4 * WEEKS] * 3
    for row in table.iter_rows(named=True):
        means = [
            found.scored.filter(pl.col("model") == name, pl.col("location") == row["location"])["rps"].to_numpy().mean()
            for name in (DEFAULT, "Ateam-wave")
        ]
        assert [row["ours"], row["theirs"]] == pytest.approx(means)
        assert row["difference"] == pytest.approx(means[0] - means[1])


def test_pmf_gives_each_forecast_s_probabilities_in_the_hub_s_order(found: RateView) -> None:
    rows = found.pmf(DEFAULT)
    assert rows.height == 4 * WEEKS * len(PLACES)
    np.testing.assert_allclose(found.probabilities(rows).sum(axis=1), 1.0)
    forecasts = found.forecasts.filter(pl.col("model") == DEFAULT, pl.col("location") == "56", pl.col("horizon") == 2)
    first = forecasts.filter(pl.col("category") == CHANGE.categories[4]).sort("reference_date")["probability"]
    own = rows.filter(pl.col("location") == "56", pl.col("horizon") == 2).sort("reference_date")
    assert own[CHANGE.categories[4]].to_list() == first.to_list()


def test_the_nation_is_recognised_by_its_population(found: RateView, tmp_path: Path) -> None:
    assert found.nation == "US"
    made = hub_folder(tmp_path)
    _edit(made, "locations", lambda table: table.with_columns(population=pl.Series([5, 6, 7])))
    assert _rates(made).nation is None


def test_a_place_without_a_name_goes_by_its_code(found: RateView) -> None:
    assert (found.name_of("56"), found.name_of("99")) == ("Wyoming", "99")


def test_a_model_without_a_common_forecast_is_not_shown(tmp_path: Path) -> None:
    made = hub_folder(tmp_path)
    elsewhere = (pl.col("location") == "01") == (pl.col("model") == "FluSight-ensemble")
    _edit(made, "peers", lambda table: table.filter(elsewhere))
    _edit(made, "predictions", lambda table: table.filter(pl.col("location") != "01"))
    found = _rates(made)
    assert found.ensemble is None and found.baseline == "FluSight-baseline_cat"
    assert "FluSight-ensemble" not in found.shown and found.level_field.height


def test_another_horizon_is_shown_where_the_hub_does_not_ask_one_week(tmp_path: Path) -> None:
    made = hub_folder(tmp_path)
    found = _rates(made)
    assert found.horizon == 1
    other = RULES.model_copy(update={"horizons": (2, 3)})
    write_text(made / "rules.json", other.to_json())
    assert _rates(made).horizon == 2


def test_the_ranking_shows_the_scores_in_order_of_relative_rps(found: RateView, sections: Sections) -> None:
    cells = sections["ranking"].cells
    ranked = sorted(found.scores["common"].items(), key=lambda row: row[1]["relative_rps"])
    rows = [cells[9 * k : 9 * k + 9] for k in range(1, len(ranked) + 1)]
    assert [row[0].split(" ")[1] for row in rows] == [name for name, _ in ranked]
    for row, (_, block) in zip(rows, ranked, strict=True):
        assert row[1].removeprefix("★ ") == numbers.score(block["relative_rps"])
        assert row[5].removeprefix("★ ") == numbers.score(block["accuracy"])
        assert row[7] == str(block["n"])
    assert rows[0][1].startswith("★ ") and not any(row[1].startswith("★ ") for row in rows[1:])
    assert not any("★" in cell for cell in cells[9 * (len(ranked) + 1) :])  # means of different forecasts


def test_the_ranking_names_who_is_who(sections: Sections) -> None:
    text = sections["ranking"].text
    assert f"{DEFAULT} (ours, default)" in text and "FluSight-ensemble (hub's ensemble)" in text


@pytest.mark.parametrize(
    ("ends", "words", "kind"),
    [
        ((-0.03, -0.01), "is better than the hub's ensemble", "callout good"),
        ((0.01, 0.03), "is worse than the hub's ensemble", "callout warning"),
        ((-0.01, 0.03), "can't be distinguished from the hub's ensemble", "callout warning"),
        ((None, None), "too few dates for an interval", "callout warning"),
    ],
)
def test_the_verdict_follows_the_interval(
    tmp_path: Path, write: Callable[[Path], str], ends: tuple[float | None, float | None], words: str, kind: str
) -> None:
    made, (low, high) = hub_folder(tmp_path), ends
    found = {"mean": 0.01 if high is None or high > 0 else -0.02, "low": low, "high": high, "n": 108, "dates": 9}
    change(made, differences={"FluSight-ensemble": found})
    section = _sections(write(made))["verdict"]
    assert words in section.text.replace("\n", " ") and kind in [named.get("class") for _, named in section.tags]
    assert ("[" in section.text) == (low is not None)


def test_the_verdict_names_rank_best_peer_and_what_no_skill_scores(found: RateView, sections: Sections) -> None:
    text = sections["verdict"].text
    names = [name for name, _ in found.ranked("common")]
    assert f"it is the {('1st', '2nd', '3rd', '4th', '5th', '6th', '7th')[names.index(DEFAULT)]} of 7 models" in text
    assert f"picked afterwards, is {found.best_peer}" in text
    for name in ("FluSight-baseline_cat", "us-climate"):
        assert f"{name} {numbers.score(found.scores['common'][name]['rps'])}" in text


def test_a_default_of_little_coverage_has_no_rank(tmp_path: Path, write: Callable[[Path], str]) -> None:
    made = hub_folder(tmp_path)
    scores = json.loads((made / "scores.json").read_text())
    change(made, common={name: block for name, block in scores["common"].items() if name != DEFAULT})
    assert "It has no rank: it made 100.0\u00a0% of" in _sections(write(made))["verdict"].text


def test_the_verdict_says_what_part_the_season_had_in_the_choice_of_the_models(
    tmp_path: Path, write: Callable[[Path], str], sections: Sections
) -> None:
    chosen = "This season is one of {} that the models were chosen on, so its scores flatter them."
    assert chosen.format(2) in sections["verdict"].text and "it was a test" not in sections["verdict"].text
    made = hub_folder(tmp_path)
    change(made, seen=SEEN["flusight", "2024-25"])
    text = " ".join(_sections(write(made))["verdict"].text.split())
    tests = (
        "Before, it was a test of models chosen on other seasons, run 3 times; RPS: trees, chosen on 2023-24, "
        "0.461; rnn, chosen on 2022-23 and 2023-24 after the handling of revisions had been "
        "corrected, 0.408; pool, chosen on 12 seasons, 0.422; the hub's ensemble 0.445."
    )
    assert f"{chosen.format(13)} {tests}" in text
    change(made, seen=None)
    assert "chosen on" not in _sections(write(made))["verdict"].text


def test_differences_stand_worst_first_with_their_reading(found: RateView, sections: Sections) -> None:
    cells = sections["differences"].cells
    rows = [cells[k : k + 6] for k in range(6, len(cells), 6)]
    differences = found.scores["differences"]
    assert [row[0] for row in rows] == sorted(differences, key=lambda name: -differences[name]["mean"])
    for name, _, dates, mean, ends, word in rows:
        block = differences[name]
        assert (dates, mean) == (str(WEEKS), numbers.signed(block["mean"]))
        assert ends == numbers.interval([block["low"], block["high"]])
        expected = (
            "default better" if block["high"] < 0 else "default worse" if block["low"] > 0 else "no clear difference"
        )
        assert word == expected


def test_scores_by_date_and_horizon_are_means_over_shared_forecasts(found: RateView, sections: Sections) -> None:
    own = found.scored.filter(pl.col("model") == DEFAULT)
    first = own.filter(pl.col("reference_date") == START)["rps"].to_numpy().mean()
    assert sections["dates"].cells[6:9] == [str(START), "12", numbers.score(float(first))]
    base = found.scored.filter(pl.col("model") == "FluSight-baseline_cat", pl.col("horizon") == 3)["rps"].to_numpy()
    mine = own.filter(pl.col("horizon") == 3)["rps"].to_numpy().mean()
    table = sections["horizons"].cells
    row = table[table.index("3 weeks ahead") :]
    assert row[1] == numbers.score(float(mine)) + numbers.score(float(mine / base.mean()))


def test_calibration_counts_what_was_given_and_what_happened(found: RateView, sections: Sections) -> None:
    cells = sections["calibration"].cells
    own = found.scored.filter(pl.col("model") == DEFAULT)
    row = cells[cells.index(DEFAULT) :]
    assert row[1] == str(own.height)
    assert row[2:4] == [numbers.percent(float(own[key].to_numpy().mean())) for key in ("rise", "rose")]
    shares = found.truth["observed"].to_numpy() == 4
    assert cells[cells.index("large increase") + 1] == numbers.percent(float(shares.mean()))


def test_dates_and_categories_reach_the_figures(
    tmp_path: Path, write: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, seen = hub_folder(tmp_path), {}
    base = pl.when(pl.col("location") == "US").then(500.0).otherwise(20.0)
    _edit(made, "truth", lambda table: table.with_columns(base=base))
    monkeypatch.setattr(view.figures, "by_date", lambda *given: seen.update(counts=given[3]) or Figure())
    monkeypatch.setattr(view.figures, "category_reliability", lambda *given: seen.update(bins=given[1]) or Figure())
    write(made)
    assert seen["counts"].tolist() == [500.0] * WEEKS  # the nation's, not the sum that holds it twice
    for k in range(5):
        ups = sum(each["share_up"] * each["windows"] for each in seen["bins"][DEFAULT][k])
        assert ups == pytest.approx((_rates(made).truth["observed"] == k).sum())


def test_the_season_s_dates_are_rise_peak_and_fall(tmp_path: Path) -> None:
    observed = pl.col("reference_date").replace_strict(
        {START: 2, START + WEEK: 4, START + 2 * WEEK: 3, START + 3 * WEEK: 1}, default=2, return_dtype=pl.Int64
    )
    made = hub_folder(tmp_path, truth=truth_of(1, WEEKS).with_columns(observed=observed))
    base = pl.when(pl.col("reference_date") == START + 2 * WEEK).then(99.0).otherwise(20.0)
    _edit(made, "truth", lambda table: table.with_columns(base=base))
    assert _rates(made).phases == {"rise": START + WEEK, "peak": START + 2 * WEEK, "fall": START + 3 * WEEK}


def test_a_place_s_picture_has_one_horizon_and_the_newest_known_week(
    found: RateView, write: Callable[[Path], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: dict[str, dict[str, Any]] = {}

    def place(counted: Any, known: Any, **given: Any) -> Figure:
        drawn[given["name"]] = given | {"known": known}
        return Figure()

    monkeypatch.setattr(view.figures, "place", place)
    write(hub_folder(tmp_path))
    assert list(drawn) == ["US", "Wyoming", "Alabama"]
    own = found.pmf(DEFAULT).filter(pl.col("location") == "56", pl.col("horizon") == 1).sort("reference_date")
    np.testing.assert_array_equal(drawn["Wyoming"]["pmf"], found.probabilities(own))
    assert drawn["Wyoming"]["observed"].tolist() == own["observed"].to_list()
    days, values = drawn["Wyoming"]["known"]
    assert days == [day - WEEK for day in drawn["Wyoming"]["dates"]] and values.tolist() == [19.0] * WEEKS


def test_a_skipped_week_is_a_gap(tmp_path: Path, write: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch) -> None:
    made = hub_folder(tmp_path)
    for name in ("truth", "predictions", "peers"):
        _edit(made, name, lambda table: table.filter(pl.col("reference_date") != START + 2 * WEEK))
    drawn: list[dict[str, Any]] = []
    monkeypatch.setattr(view.figures, "place", lambda *_, **given: drawn.append(given) or Figure())
    write(made)
    assert drawn[0]["dates"] == [START + week * WEEK for week in range(WEEKS)]
    assert np.isnan(drawn[0]["pmf"]).all(axis=1).nonzero()[0].tolist() == [2] and drawn[0]["observed"][2] == -1


def test_losses_are_found_where_they_were_put(tmp_path: Path, write: Callable[[Path], str]) -> None:
    """Sure and right everywhere but in Wyoming at horizon 2, where the ensemble is right: an RPS of 4 against 0."""
    rows = []
    for place in PLACES:
        for horizon in RULES.horizons:
            wrong = (place, horizon) == ("56", 2)
            for model in [*OURS, *PEERS]:
                sure = "large_increase" if model == DEFAULT and wrong else "large_decrease"
                rows += [(model, START, horizon, place, name, float(name == sure)) for name in CHANGE.categories]
    columns = ["model", "reference_date", "horizon", "location", "category", "probability"]
    truth = truth_of(1).with_columns(observed=pl.lit(0, pl.Int64))
    made = hub_folder(tmp_path, forecasts=pl.DataFrame(rows, columns, orient="row"), truth=truth)
    page = _sections(write(made))["losses"]
    sentence = f"{DEFAULT} loses to FluSight-ensemble in 1 of 3 places, 1 of 1 reference dates, 1 of 4 horizons."
    assert sentence in page.text.replace("\n", " ")
    where = page.cells.index("Wyoming")
    assert page.cells[where : where + 5] == ["Wyoming", "4", "1.000", "0.000", "+1.000"]
    single = page.cells[len(page.cells) - 1 - page.cells[::-1].index("Wyoming") :]
    assert single[:3] == ["Wyoming", str(START), "2"]
    assert single[3:9] == ["large decrease", "0\u00a0%", "100\u00a0%", "4.000", "0.000", "+4.000"]
    assert "Alabama" not in page.cells


def test_who_never_loses_has_no_table_of_losses(tmp_path: Path, write: Callable[[Path], str]) -> None:
    made = hub_folder(tmp_path, truth=truth_of(5, WEEKS).with_columns(observed=pl.lit(2, pl.Int64)))
    sure = (pl.col("category") == CHANGE.categories[2]).cast(pl.Float64)
    given = pl.when(pl.col("model") == DEFAULT).then(sure).otherwise(pl.col("probability"))
    _edit(made, "predictions", lambda table: table.with_columns(probability=given))
    page = _sections(write(made))["losses"]
    assert "in 0 of 3 places, 0 of 9 reference dates, 0 of 4 horizons." in page.text.replace("\n", " ")
    assert not page.cells


def test_weights_fits_and_skipped_dates_are_shown(sections: Sections) -> None:
    page = sections["weights"]
    assert "on average logistic 75\u00a0%, network 25\u00a0%" in page.text
    assert page.cells[3:6] == [str(START), "0.75", "0.25"]
    skipped = sections["skipped"]
    assert "no version was <published>" in skipped.text and "1,234" in skipped.cells


def test_what_is_not_there_is_left_out_or_said(tmp_path: Path, write: Callable[[Path], str]) -> None:
    made = hub_folder(tmp_path)
    change(made, weights=[], skipped=[], fits=[], notes=[], dates=[])
    _edit(made, "known", lambda table: table.clear())
    write_text(made / "manifest.json", "{}")
    found = _sections(write(made))
    assert "This run pooled no models" in found["weights"].text
    assert "No reference date of the season was skipped." in found["skipped"].text
    assert "were made for 0 reference dates." in found["skipped"].text and not found["skipped"].cells
    assert "Of this run" not in found["caveats"].text and "The same command" not in found["repeat"].text
    assert not (made / "figures/revisions.svg").exists()


def test_the_run_can_be_repeated_from_the_page(sections: Sections) -> None:
    page = sections["repeat"]
    assert "twofold hub backtest" in page.text and "Wall time, seconds1.500" in page.text.replace("\n", "")
    assert page.cells[-2:] == ["train.epochs", "7"]


def test_caveats_hold_those_of_the_run_and_of_every_backtest(sections: Sections) -> None:
    assert "147 cells" in sections["caveats"].text and "One season is one draw" in sections["caveats"].text
