"""Run folders listed, shown, compared and deleted, through the command line."""

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from hub.season_small import CONFIG, replay
from hub.season_small import silent as quiet
from trend.small import epidemic, quick, silent
from trend.walk.small import quick_walk, walked
from twofold.cli import main
from twofold.engine.config import Config
from twofold.engine.files import write_text
from twofold.engine.run import claim
from twofold.engine.work import ALONE
from twofold.hub import run as hub_run
from twofold.hub.config import HubConfig
from twofold.hub.model import fit_model
from twofold.scoring.bootstrap import compare
from twofold.trend import run as trend_run
from twofold.trend.recipes import recipe
from twofold.vae import run as vae_run
from vae.small import discs, images_of, tiny

Output = pytest.CaptureFixture[str]
HUB = HubConfig.model_validate(
    CONFIG.model_dump() | {"heads": ("climatology", "logistic"), "pooled": ("climatology", "logistic")}
)


def done(folder: Path, config: Config, fill: Callable[[Any], None], digest: str = "ab" * 32) -> Path:
    """A finished run folder."""
    with claim(folder, config, digest, ["twofold", "trial"]) as held:
        fill(held)
        held.finish()
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of all kinds but the study and the sweep, two of each but the hub's model."""
    root = tmp_path_factory.mktemp("made") / "runs"
    panel = epidemic()
    for name, hidden in (("a", 3), ("b", 4)):
        config = quick(model={"hidden": hidden})
        done(
            root / "trend" / name,
            config,
            lambda held, config=config: trend_run.execute(panel, "cases.csv", config, held, silent),
        )
        walked(panel, quick_walk(model={"hidden": hidden}), root / "walk" / name)
    images = images_of(discs(60), tmp_path_factory.mktemp("images"))
    for name, epochs in (("a", 1), ("b", 2)):
        config = tiny(train={"epochs": epochs})
        done(
            root / "vae" / name,
            config,
            lambda held, config=config: vae_run.execute(
                images, config, held, labels=None, on_epoch=silent, on_step=lambda done, total: None
            ),
        )
    season = replay()
    for name, floor in (("a", 0.002), ("b", 0.1)):
        config = HUB.model_copy(update={"floor": floor})
        done(
            root / "hub" / name,
            config,
            lambda held, config=config: hub_run.execute(season, None, None, config, held, work=ALONE, progress=quiet),
        )
    day = season.dates[0][-1]
    fit_model(season, day, HUB, None, work=ALONE, progress=quiet).save(root / "hub" / "model")
    return root


def shown(capsys: Output, *words: str) -> Any:
    """The one JSON document that a command prints."""
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refused(capsys: Output, *words: str) -> str:
    assert main(list(words)) == 2
    output = capsys.readouterr()
    assert output.out == ""
    return output.err


def test_every_kind_is_listed_with_its_score_and_state(runs: Path, capsys: Output) -> None:
    listed = {Path(run["folder"]).relative_to(runs).as_posix(): run for run in shown(capsys, "runs", "list", str(runs))}
    assert {name: (run["kind"], run["finished"]) for name, run in listed.items()} == {
        "hub/a": ("hub backtest", True),
        "hub/b": ("hub backtest", True),
        "hub/model": ("hub model", True),
        "trend/a": ("trend run", True),
        "trend/b": ("trend run", True),
        "vae/a": ("vae run", True),
        "vae/b": ("vae run", True),
        "walk/a": ("trend backtest", False),  # nothing has finished these two
        "walk/b": ("trend backtest", False),
    }
    saved = {name: json.loads((runs / name / "scores.json").read_text()) for name in ("trend/a", "vae/a", "hub/a")}
    part = saved["trend/a"]["verdict"]["set"]
    assert listed["trend/a"]["headline"] == {"score": "log_score", "value": saved["trend/a"][part]["log_score"]}
    assert listed["vae/a"]["headline"] == {"score": "bits_per_dim", "value": saved["vae/a"]["test"]["bits_per_dim"]}
    assert listed["hub/a"]["headline"]["value"] == saved["hub/a"]["models"]["twofold-pool"]["rps"]
    assert main(["runs", "list", str(runs)]) == 0
    table = capsys.readouterr().out
    assert f"bits per dim {saved['vae/a']['test']['bits_per_dim']:.4f}" in table
    assert "trend backtest" in table


def test_a_list_follows_no_link_and_knows_no_run_of_others(runs: Path, tmp_path: Path, capsys: Output) -> None:
    (tmp_path / "link").symlink_to(runs / "vae" / "a")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "manifest.json").write_text('{"name": "of a browser"}')
    (tmp_path / "other" / "model.safetensors").write_bytes(b"\xff" * 20)
    assert shown(capsys, "runs", "list", str(tmp_path)) == []
    assert main(["runs", "list", str(tmp_path)]) == 0
    assert "no run folder below" in capsys.readouterr().out
    assert "is no folder" in refused(capsys, "runs", "list", str(tmp_path / "missing"))


def test_what_is_damaged_or_unknown_is_listed_without_a_score(tmp_path: Path, capsys: Output) -> None:
    done(tmp_path / "damaged", quick(), lambda held: write_text(held.path / "scores.json", '{"verdict": []}'))
    done(tmp_path / "newer", Strange(), lambda held: None)
    found = shown(capsys, "runs", "list", str(tmp_path))
    assert [(run["kind"], run["headline"]) for run in found] == [("trend run", None), (None, None)]
    assert main(["runs", "list", str(tmp_path)]) == 0
    assert "unknown" in capsys.readouterr().out
    assert shown(capsys, "runs", "show", str(tmp_path / "damaged"))["scores"] == {}
    assert "one known kind" in refused(capsys, "runs", "compare", str(tmp_path / "newer"), str(tmp_path / "newer"))


class Strange(Config):
    magic: int = 1


def test_show_tells_the_settings_that_differ_from_the_recipe(runs: Path, capsys: Output) -> None:
    found = shown(capsys, "runs", "show", str(runs / "trend" / "a"))
    assert found["changed"]["model.hidden"] == {"default": recipe("default").model.hidden, "value": 3}
    assert "window.stride" not in found["changed"]
    assert found["manifest"]["command"] == ["twofold", "trial"]
    saved = json.loads((runs / "trend" / "a" / "scores.json").read_text())
    part = saved["verdict"]["set"]
    assert found["scores"]["roc_auc"] == {
        "value": saved[part]["roc_auc"],
        "interval": saved["intervals"][part]["roc_auc"],
    }
    model = shown(capsys, "runs", "show", str(runs / "hub" / "model"))
    assert model["scores"]["weight: logistic"] == {"value": 0.5}
    assert model["changed"]["heads"]["value"] == ["climatology", "logistic"]
    assert main(["runs", "show", str(runs / "vae" / "a")]) == 0
    told = capsys.readouterr().out
    assert "model.latent_dim" in told
    assert "bits_per_dim" in told
    assert "is no run folder" in refused(capsys, "runs", "show", str(runs))


def test_two_trend_runs_are_compared_window_by_window(runs: Path, capsys: Output) -> None:
    paths = [runs / "trend" / name for name in "ab"]
    found = shown(capsys, "runs", "compare", *map(str, paths))
    assert found["settings"] == {"model.hidden": [3, 4]}
    frames = [pl.read_parquet(path / "predictions.parquet").filter(split="test", active=True) for path in paths]
    assert frames[0].select("region", "origin").equals(frames[1].select("region", "origin"))
    label = frames[0]["label"].to_numpy()
    p = [frame["p_ensemble"].to_numpy() for frame in frames]
    brier = [float(np.mean((each - label) ** 2)) for each in p]
    [paired] = found["paired"]
    assert (paired["run"], paired["minus"], paired["cases"]) == (str(paths[1]), str(paths[0]), len(label))
    assert paired["differences"]["brier_score"]["value"] == pytest.approx(brier[1] - brier[0])
    own = json.loads((paths[0] / "scores.json").read_text())["test_active"]["brier_score"]
    assert brier[0] == pytest.approx(own)
    assert main(["runs", "compare", *map(str, paths)]) == 0
    told = capsys.readouterr().out
    assert "model.hidden" in told
    assert f"{paired['differences']['brier_score']['value']:+.4f}"[:6] in told
    assert f"{own:.4f}" in told  # each run's own figures stand below its own name


def test_the_intervals_are_those_of_the_run_itself(runs: Path, capsys: Output) -> None:
    """As in its own comparisons: blocks of its days, its resamples, its seed."""
    from twofold.engine.seed import seed_for

    paths = [runs / "trend" / name for name in "ab"]
    [paired] = shown(capsys, "runs", "compare", *map(str, paths))["paired"]
    a, b = (pl.read_parquet(path / "predictions.parquet").filter(split="test", active=True) for path in paths)
    days = a["origin"].to_numpy().astype("datetime64[D]").astype(np.int64)
    expected = compare(
        *(frame["p_ensemble"].to_numpy() for frame in (b, a)),
        a["label"].to_numpy(),
        days,
        resamples=20,
        block_days=3,
        level=0.9,
        seed=seed_for(0, "bootstrap"),
    )["log_score"]
    found = paired["differences"]["log_score"]
    assert found["value"] == pytest.approx(expected["difference"])
    assert (found["interval"] or [None, None]) == pytest.approx([expected["low"], expected["high"]])


def test_autoencoders_are_compared_image_by_image(runs: Path, capsys: Output) -> None:
    paths = [runs / "vae" / name for name in "ab"]
    found = shown(capsys, "runs", "compare", *map(str, paths))
    test = [json.loads((path / "scores.json").read_text())["test"] for path in paths]
    [paired] = found["paired"]
    assert paired["cases"] == test[0]["images"]
    gap = paired["differences"]["bits_per_dim"]
    assert gap["value"] == pytest.approx(test[1]["bits_per_dim"] - test[0]["bits_per_dim"], rel=1e-6)
    assert 0 < gap["standard_error"] < test[0]["standard_errors"]["bits_per_dim"]


def test_backtests_of_a_hub_are_compared_forecast_by_forecast(runs: Path, capsys: Output) -> None:
    paths = [runs / "hub" / name for name in "ab"]
    models = [json.loads((path / "scores.json").read_text())["models"]["twofold-pool"] for path in paths]
    [paired] = shown(capsys, "runs", "compare", *map(str, paths))["paired"]
    assert paired["cases"] == models[0]["n"]
    assert paired["differences"]["rps"]["value"] == pytest.approx(models[1]["rps"] - models[0]["rps"])
    assert paired["differences"]["wis"]["value"] == 0  # the last value, since neither head gives quantiles


def test_a_hub_without_categories_is_compared_by_quantiles(tmp_path: Path, capsys: Output) -> None:
    season = replay(rate_change=None)
    paths = []
    for name, weight in (("a", 1.0), ("b", 3.0)):
        config = HubConfig.model_validate(HUB.model_dump() | {"heads": ("ar6",), "pooled": ("ar6",)})
        config = config.model_copy(update={"others_weight": weight})
        with claim(tmp_path / name, config, "d", []) as held:
            hub_run.execute(season, None, None, config, held, work=ALONE, progress=quiet)
            held.finish()
        paths.append(str(tmp_path / name))
    found = shown(capsys, "runs", "compare", *paths)
    saved = json.loads((Path(paths[0]) / "scores.json").read_text())["quantile"]
    own = saved["models"][saved["default"]]
    assert found["runs"][0]["headline"] == {"score": "relative_wis", "value": own["relative_wis"]}
    [paired] = found["paired"]
    assert paired["cases"] == own["n"]
    assert set(paired["differences"]) == {"wis", "log_wis"}
    assert paired["differences"]["wis"]["value"] == 0  # there is nothing else to learn from


def test_what_cannot_be_compared_is_said(runs: Path, tmp_path: Path, capsys: Output) -> None:
    paths = [str(runs / "walk" / name) for name in "ab"]
    [paired] = shown(capsys, "runs", "compare", *paths)["paired"]
    assert paired == {
        **{"run": paths[1], "minus": paths[0], "cases": 0, "differences": {}},
        "why": "a run that isn't finished has no predictions yet",
    }
    models = [str(runs / "hub" / "model")] * 2
    assert main(["runs", "compare", *models]) == 0
    assert "not comparable case by case: a hub model holds no predictions" in " ".join(capsys.readouterr().out.split())
    mixed = refused(capsys, "runs", "compare", str(runs / "vae" / "a"), str(runs / "trend" / "a"))
    assert "one known kind can be compared, got trend run, vae run" in mixed
    assert "two run folders or more" in refused(capsys, "runs", "compare", paths[0])

    other = epidemic(seed=1)
    done(tmp_path / "other", quick(), lambda held: trend_run.execute(other, "x.csv", quick(), held, silent))
    [paired] = shown(capsys, "runs", "compare", str(runs / "trend" / "a"), str(tmp_path / "other"))["paired"]
    assert paired["differences"] == {}
    assert "differ: other counts, or another target" in paired["why"]


def test_walks_are_compared_window_by_window(runs: Path, tmp_path: Path, capsys: Output) -> None:
    paths = []
    for name in "ab":
        (tmp_path / name).mkdir()
        for file in (runs / "walk" / name).iterdir():
            if file.is_file():
                (tmp_path / name / file.name).write_bytes(file.read_bytes())
        (tmp_path / name / "DONE").touch()
        paths.append(str(tmp_path / name))
    [paired] = shown(capsys, "runs", "compare", *paths)["paired"]
    pools = [json.loads((Path(path) / "scores.json").read_text())["models"]["pool"]["active"] for path in paths]
    assert paired["differences"]["log_score"]["value"] == pytest.approx(pools[1]["log_score"] - pools[0]["log_score"])


@pytest.fixture
def doomed(tmp_path: Path) -> Path:
    """A finished run with a link in it that points outside."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_text("dear")

    def fill(held: Any) -> None:
        (held.path / "figures").mkdir()
        (held.path / "figures" / "link").symlink_to(tmp_path / "kept")
        (held.path / "away").symlink_to(tmp_path / "kept")

    return done(tmp_path / "runs" / "doomed", quick(), fill)


def test_rm_deletes_a_run_and_nothing_that_it_links_to(doomed: Path, tmp_path: Path, capsys: Output) -> None:
    assert main(["runs", "rm", str(doomed), "--yes"]) == 0
    assert capsys.readouterr().out == f"{doomed}: deleted\n"
    assert not doomed.exists()
    assert (tmp_path / "kept" / "file").read_text() == "dear"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("answer", "gone"), [("y\n", True), ("yes\n", True), ("n\n", False), ("\n", False), ("", False)]
)
def test_rm_asks(doomed: Path, answer: str, gone: bool, capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    assert main(["runs", "rm", str(doomed)]) == 0
    assert "delete it? [y/N]" in capsys.readouterr().err
    assert doomed.exists() is not gone


def test_rm_refuses_where_nobody_can_answer(doomed: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    assert "give --yes" in refused(capsys, "runs", "rm", str(doomed))
    assert (doomed / "DONE").exists()


def test_rm_refuses_links_and_what_is_no_run(doomed: Path, tmp_path: Path, capsys: Output) -> None:
    (tmp_path / "link").symlink_to(doomed)
    assert "is a link" in refused(capsys, "runs", "rm", str(tmp_path / "link"), "--yes")
    # One that is refused keeps the others, too.
    assert "is no run folder" in refused(capsys, "runs", "rm", str(doomed), str(tmp_path / "kept"), "--yes")
    assert "is no run folder" in refused(capsys, "runs", "rm", str(tmp_path / "missing"), "--yes")
    assert (doomed / "DONE").exists()


HOLDER = """
import sys
from pathlib import Path
from twofold.engine.config import Config
from twofold.engine.run import claim
with claim(Path(sys.argv[1]), Config(), "d", []):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("held", ["sweep", "sweep/runs/one"])
@pytest.mark.parametrize("wanted", ["sweep", "sweep/runs/one"])
def test_rm_refuses_a_run_that_is_being_written(held: str, wanted: str, tmp_path: Path, capsys: Output) -> None:
    """Also the sweep that a run belongs to, and the runs of a sweep."""
    for name in ("sweep", "sweep/runs/one"):
        done(tmp_path / name, Config(), lambda held: None, "d")
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / held)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert "another process writes" in refused(capsys, "runs", "rm", str(tmp_path / wanted), "--yes")
        assert (tmp_path / wanted / "DONE").exists()
        holder.kill()
    assert main(["runs", "rm", str(tmp_path / wanted), "--yes"]) == 0
