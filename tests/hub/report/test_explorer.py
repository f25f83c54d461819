import json
import re
from datetime import timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from hub.small import CHANGE, DATES, DEFAULT, OURS, PEERS, PLACES, START, WEEKS, forecasts_of, hub_folder
from hub.small_quantiles import BASELINE, CURVE, ENSEMBLE, LAST, POOL, add_quantiles, quantiles_of
from page.reading import read as read_html
from twofold.engine.files import write_parquet
from twofold.hub.distribution import LEVELS
from twofold.hub.report import view
from twofold.hub.report.explorer import FAN

SCRIPT = resources.files("twofold.hub.report").joinpath("explorer.js").read_text(encoding="utf-8")
DERIVED = f"{CURVE} (quantiles)"


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> str:
    forecasts = pl.concat([forecasts_of(name, k, WEEKS) for k, name in enumerate([*OURS, *PEERS, DERIVED])])
    made = add_quantiles(hub_folder(tmp_path_factory.mktemp("hub") / "run", forecasts=forecasts))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("twofold.page.album.to_svg", lambda figure: "<svg></svg>")
        return view.write(made).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def data(html: str) -> dict[str, Any]:
    return _data(html)


def _data(html: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="explorer-data">(.*?)</script>', html, re.S)
    assert found is not None
    return json.loads(found[1])


def _model(data: dict[str, Any], name: str) -> dict[str, Any]:
    return next(each for each in data["models"] if each["name"] == name)


@pytest.mark.parametrize(("name", "seed"), [(POOL, 1), (ENSEMBLE, 3)])
def test_the_fans_are_the_quantiles_of_the_table(data: dict[str, Any], name: str, seed: int) -> None:
    own = quantiles_of(name, seed)
    values = {row[1:5]: row[5] for row in own.iter_rows()}
    fans = _model(data, name)["fans"]
    for place, date, k in np.ndindex(len(PLACES), WEEKS, len(data["horizons"])):
        unit = DATES[date], data["horizons"][k], data["places"][place]["code"]
        assert fans[place][date][k] == [round(values[*unit, level]) for level in FAN]


def test_counts_and_what_was_known_are_the_tables(data: dict[str, Any]) -> None:
    assert data["weeks"][0] == str(START - timedelta(weeks=8)) and data["dates"] == [str(day) for day in DATES]
    assert [place["code"] for place in data["places"]] == ["US", "56", "01"]
    assert data["counts"] == [[21 + week for week in range(WEEKS + 8 + 3)]] * 3
    assert data["known"] == [[list(range(26, 18, -1))] * WEEKS] * 3


def test_a_rise_is_above_the_newest_known_count(data: dict[str, Any]) -> None:
    own = quantiles_of(POOL, 1).filter(pl.col("location") == "56", pl.col("horizon") == 1)
    found = _model(data, POOL)["rise"][1]
    for date, day in enumerate(DATES):
        values = own.filter(pl.col("reference_date") == day)["value"].to_numpy()
        assert found[date] == pytest.approx(100 * (1 - np.interp(19.0, values, LEVELS)), abs=0.51)


def test_categories_are_a_model_s_own_or_derived(data: dict[str, Any]) -> None:
    for name, given, seed in ((ENSEMBLE, ENSEMBLE, 2), (CURVE, DERIVED, 7)):
        rows = forecasts_of(given, seed, WEEKS).filter(pl.col("location") == "56", pl.col("horizon") == 1)
        for date, day in enumerate(DATES):
            own = rows.filter(pl.col("reference_date") == day)["probability"].to_numpy()
            assert _model(data, name)["pmf"][1][date] == np.rint(100 * own).astype(int).tolist()
    assert _model(data, LAST)["pmf"] == [] and len(data["categories"]) == len(CHANGE.categories)


def test_ratios_are_those_of_the_map(data: dict[str, Any], html: str) -> None:
    ratios = _model(data, ENSEMBLE)["ratio"]
    words = [f"{place['name']}: {ratio:.2f} on" for place, ratio in zip(data["places"], ratios, strict=True)]
    assert all(each in html for each in words)
    assert _model(data, POOL)["ratio"] == [None] * 3 and data["score"] == "WIS"


def test_the_default_comes_first_and_the_ensemble_next(data: dict[str, Any]) -> None:
    assert [model["name"] for model in data["models"]][:2] == [POOL, ENSEMBLE]
    assert {BASELINE, CURVE, LAST} < {model["name"] for model in data["models"]}


def test_a_forecast_that_was_not_made_is_a_zero(tmp_path: Path) -> None:
    made = add_quantiles(hub_folder(tmp_path))
    path = made / "peers_quantile.parquet"
    gone = (pl.col("model") == ENSEMBLE) & (pl.col("location") == "56")
    late = (pl.col("reference_date") == DATES[1]) | ((pl.col("reference_date") == DATES[2]) & (pl.col("horizon") == 3))
    write_parquet(path, pl.read_parquet(path).filter(~(gone & late)))
    found = _model(view.read(made).explorer, ENSEMBLE)
    assert found["fans"][1][1] == 0 and found["fans"][1][2][3] == 0 and found["fans"][1][2][2] != 0
    assert found["rise"][1][1] is None


def test_a_hub_of_categories_only_has_no_fans(tmp_path: Path) -> None:
    data = view.read(hub_folder(tmp_path)).explorer
    assert data["score"] == "RPS" and data["models"][0]["name"] == DEFAULT
    assert all(model["fans"] == [] and model["rise"] == [] for model in data["models"])


def test_every_element_of_the_script_is_on_the_page(html: str) -> None:
    asked = set(re.findall(r'part\("([\w-]+)"\)', SCRIPT)) | set(re.findall(r'strip\("([\w-]+)"', SCRIPT))
    asked |= {f"{name}-{index}" for name in ("panel", "rise", "pmf") for index in (0, 1)}
    ids = read_html(html).ids
    assert {f"explorer-{name}" for name in asked} <= set(ids) and len(asked) > 15


def test_what_needs_the_script_is_hidden_without_it(html: str) -> None:
    scripted = [named for _, named in read_html(html).tags if "scripted" in (named.get("class") or "")]
    assert len(scripted) == 6 and all("hidden" in named for named in scripted)


def test_every_control_has_a_name(html: str) -> None:
    controls = re.search(r'<div class="controls.*?</div>\n<p', html, re.S)
    assert controls is not None
    page = read_html(controls[0].removesuffix("\n<p"))
    labelled = re.sub(r"<label.*?</label>", "", controls[0], flags=re.S)
    assert {tag for tag, _ in page.tags} >= {"input", "select", "button", "output"}
    assert all('aria-label="' in tag for tag in re.findall(r"<(?:input|select|button)[^>]*>", labelled))
    assert 'role="status"' in html


def test_the_script_writes_text_and_no_markup() -> None:
    assert not re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|fetch\(|import", SCRIPT)
