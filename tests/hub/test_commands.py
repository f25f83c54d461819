"""The hub's commands through the command line: what is written and printed, and what a broken word leaves."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from hub.season_small import DAYS, FIRST, LATE, RULES, peers, write_files
from hub.small import LOCATIONS as PLACES
from hub.small import RULES as FLUSIGHT
from hub.small import START, forecasts_of
from twofold.cli import main
from twofold.engine.errors import InputError
from twofold.engine.files import write_bytes, write_text
from twofold.engine.sound import JOURNAL
from twofold.hub import model as hub_model
from twofold.hub import run as hub_backtest
from twofold.hub.heads import fit_head
from twofold.hub.model import CLASSIFIERS, TENSORS, HubModel
from twofold.hub.rules import WEEK
from twofold.hub.submission import write_submission

Output = pytest.CaptureFixture[str]
NETWORK = {"hidden": 4, "components": 2, "epochs": 1, "seeds": 1, "batch-size": 64}
CONFIG = ["--heads", "climatology", "gru", "lstm", "--pooled", "gru", "lstm", "--refit-weeks", "4"]


CONFIG += [word for name, value in NETWORK.items() for word in (f"--network.{name}", str(value))]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("files")
    peers().write_parquet(folder / "peers.parquet")
    return write_files(folder) | {"peers": folder / "peers.parquet"}


def words(command: str, files: dict[str, Path], out: Path | None, *more: str, **changed: str | None) -> list[str]:
    """A command line that works, with some flags changed or left out."""
    flags: dict[str, Any] = {
        "vintages": files["vintages"],
        "locations": files["locations"],
        "hub": files["rules"],
        "out": out,
    }
    if command == "backtest":
        flags |= {"season": "2023-24", "history": files["history"], "peers": files["peers"], "jobs": "1"}
    elif command == "fit":
        flags |= {"history": files["history"], "reference_date": str(FIRST), "jobs": "1"}
    else:
        flags |= {"reference_date": str(FIRST)}
    given = [(key, value) for key, value in (flags | changed).items() if value is not None]
    config = [] if command == "forecast" else CONFIG
    flat = [word for key, value in given for word in (f"--{key.replace('_', '-')}", str(value))]
    return ["hub", command, *flat, *config, *more]


def one_line(text: str) -> str:
    """What was printed, as one line: the terminal breaks it where its width ends."""
    return " ".join(text.split())


@pytest.fixture(scope="module")
def replayed(files: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("replay") / "run"
    assert main(words("backtest", files, out)) == 0
    return out


@pytest.fixture(scope="module")
def model(files: dict[str, Path], replayed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fitted with logistic regression beside the networks, so that both files of a model are there."""
    out = tmp_path_factory.mktemp("fit") / "model"
    line = words("fit", files, out, backtest=str(replayed))
    line[line.index("climatology")] = "logistic"
    assert main(line) == 0
    return out


# --- backtest ---


def test_a_backtest_ends_with_a_page(replayed: Path) -> None:
    assert (replayed / "DONE").exists()
    assert "</html>" in (replayed / "report.html").read_text()
    scores = json.loads((replayed / "scores.json").read_text())
    assert set(scores["models"]) == {
        *(f"twofold-{name}" for name in ("climatology", "gru", "lstm", "pool")),
        *("small-baseline", "small-ensemble", "late-comer"),
    }
    manifest = json.loads((replayed / "manifest.json").read_text())
    assert manifest["command"][:3] == ["twofold", "hub", "backtest"]
    assert json.loads((replayed / "config.json").read_text())["heads"] == ["climatology", "gru", "lstm"]


def test_a_finished_backtest_is_shown_and_not_done_again(
    files: dict[str, Path], replayed: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_backtest, "fit_head", lambda *_: pytest.fail("fitted again"))
    assert main(words("backtest", files, replayed)) == 0
    shown = capsys.readouterr()
    assert "finished; --overwrite runs it again" in one_line(shown.err)
    for part in ("small 2023-24: 7 reference dates; default twofold-pool", "small-baseline", "twofold-gru", "1.000"):
        assert part in shown.out
    assert f"Report: {replayed / 'report.html'}" in shown.out
    assert main([*words("backtest", files, replayed), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["scores"] == json.loads((replayed / "scores.json").read_text())


def test_another_config_or_other_data_is_refused(
    files: dict[str, Path], replayed: Path, tmp_path: Path, capsys: Output
) -> None:
    assert main(words("backtest", files, replayed, "--floor", "0.01")) == 2
    assert "floor 0.002 -> 0.01" in capsys.readouterr().err
    other = tmp_path / "vintages.csv"
    other.write_text(files["vintages"].read_text().replace(",7.0\n", ",8.0\n", 1))
    assert other.read_text() != files["vintages"].read_text()
    assert main(words("backtest", files, replayed, vintages=str(other))) == 2
    assert "holds a run on other data" in capsys.readouterr().err


def test_ctrl_c_keeps_what_is_done_and_the_same_command_goes_on(
    files: dict[str, Path], replayed: Path, tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def tired(name, *rest):
        calls.append(name)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return fit_head(name, *rest)

    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(hub_backtest, "fit_head", tired)
        assert main(words("backtest", files, out)) == 130
    assert "the same command goes on" in capsys.readouterr().err
    assert len(list((out / "parts").iterdir())) == 2
    assert not (out / "DONE").exists()
    assert not (out / "scores.json").exists()
    monkeypatch.setattr("twofold.hub.report.view.write", lambda folder: None)
    assert main(words("backtest", files, out)) == 0
    for name in ("predictions.parquet", "scores.json"):
        assert (out / name).read_bytes() == (replayed / name).read_bytes()


def test_without_out_the_folder_is_named_after_hub_season_and_all_that_is_read(
    files: dict[str, Path], replayed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    executed = []

    def put(replay, peers, peers_quantiles, config, folder, **rest):
        executed.append(folder.path)
        write_bytes(folder.path / "scores.json", (replayed / "scores.json").read_bytes())

    monkeypatch.setattr("twofold.hub.run.execute", put)
    monkeypatch.setattr("twofold.hub.report.view.write", lambda folder: None)
    for changed in ({}, {"history": None}, {"peers": None}, {}):
        assert main(words("backtest", files, None, **changed)) == 0
    names = [path.as_posix() for path in executed]
    assert len(names) == len(set(names)) == 3  # the last one was the first again
    assert all(name.startswith("runs/hub/small-2023-24-") for name in names)


def _broken(files: dict[str, Path], tmp_path: Path, name: str, old: str, new: str) -> str:
    path = tmp_path / files[name].name
    text = files[name].read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return str(path)


BAD: dict[str, tuple[str, Callable[[dict[str, Path], Path], dict[str, Any]], str]] = {
    "no versions": ("backtest", lambda files, tmp: {"vintages": str(tmp / "none.csv")}, "none.csv: no such file"),
    "a negative count": (
        "backtest",
        lambda files, tmp: {"vintages": _broken(files, tmp, "vintages", ",7.0\n", ",-7.0\n")},
        "column 'value': cases can't be negative",
    ),
    "a broken history": (
        "backtest",
        lambda files, tmp: {"history": _broken(files, tmp, "history", "Alaska,2018-07-29,", "Alaska,2018-07-29,x")},
        "history.csv, row",
    ),
    "no population": (
        "backtest",
        lambda files, tmp: {"locations": _broken(files, tmp, "locations", ",800000", ",0")},
        "column 'population': must be at least 1",
    ),
    "unknown hub": (
        "backtest",
        lambda files, tmp: {"hub": "nowhere"},
        "hub must be one of covid, flusight, rsv or a rules file",
    ),
    "unknown season": ("backtest", lambda files, tmp: {"season": "2022-23"}, "season must be one of"),
    "a season without versions": (
        "backtest",
        lambda files, tmp: {"season": "2024-25"},
        "no reference date of season 2024-25 can be forecast",
    ),
    "peers of another kind": ("backtest", lambda files, tmp: {"peers": str(files["locations"])}, "no column 'model'"),
    "fit on a late date": ("fit", lambda files, tmp: {"reference_date": str(LATE)}, "week ending 2023-12-23"),
    "fit on no date": ("fit", lambda files, tmp: {"reference_date": "soon"}, "--reference-date must be a day"),
    "nothing but withdrawn values": (
        "fit",
        lambda files, tmp: {"reference_date": None, "vintages": str(_withdrawn(tmp))},
        "holds no value; give --reference-date",
    ),
    "fit with no run": ("fit", lambda files, tmp: {"backtest": str(tmp / "none")}, "scores.json is missing"),
    "fit with a broken run": ("fit", lambda files, tmp: {"backtest": str(_run(tmp, "{"))}, "holds no hub's weights"),
    "fit with another run": ("fit", lambda files, tmp: {"backtest": str(_run(tmp, "{}"))}, "holds no hub's weights"),
    "fit with other heads": (
        "fit",
        lambda files, tmp: {"backtest": str(_run(tmp, '{"reference_date": "2023-11-25", "weights": {"trees": 1.0}}'))},
        "its pool is of trees, and --pooled names gru, lstm",
    ),
    "fit with later weights": (
        "fit",
        lambda files, tmp: {"backtest": str(_run(tmp, '{"reference_date": "2023-12-09", "weights": {"trees": 1.0}}'))},
        "its first weights are of a date after 2023-12-02; leave it out",
    ),
    "forecast without a model": (
        "forecast",
        lambda files, tmp: {"model": str(tmp / "none")},
        "none: holds no model (model.safetensors is missing); make one with `twofold hub fit`",
    ),
}


def _withdrawn(tmp_path: Path) -> Path:
    path = tmp_path / "vintages.csv"
    path.write_text("as_of,target_end_date,location,value\n2023-11-01T00:00:00Z,2023-10-28,01,\n")
    return path


def _run(tmp_path: Path, entry: str) -> Path:
    about = f'"hub": "{RULES.hub}", "season": "{RULES.season}"'
    text = f'{{{about}, "weights": [{entry}]}}' if "weights" in entry else entry
    (tmp_path / "scores.json").write_text(text)
    return tmp_path


@pytest.mark.parametrize("kind", BAD)
def test_what_can_be_corrected_is_reported_and_no_folder_is_left(
    files: dict[str, Path], tmp_path: Path, capsys: Output, kind: str
) -> None:
    command, change, said = BAD[kind]
    out = tmp_path / "out"
    assert main(words(command, files, out, **change(files, tmp_path))) == 2
    shown = capsys.readouterr()
    assert said in shown.err
    assert "Traceback" not in shown.err
    assert shown.out == ""
    assert not out.exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--floor", "0.3"], "--floor: "),
        (["--network.hidden", "0"], "--network.hidden: "),
        (["--pooled", "trees"], "pooled must be among heads, which lack trees"),
        (["--pool-prior-weeks", "0"], "--pool-prior-weeks: "),
    ],
)
@pytest.mark.parametrize("command", ["backtest", "fit"])
def test_a_broken_rule_names_its_flag(
    files: dict[str, Path], tmp_path: Path, capsys: Output, *, command: str, more: list[str], said: str
) -> None:
    assert main(words(command, files, tmp_path / "out", *more)) == 2
    shown = capsys.readouterr()
    assert said in shown.err
    assert "Traceback" not in shown.err
    assert not (tmp_path / "out").exists()


# --- fit ---


def test_a_fit_saves_its_heads(model: Path) -> None:
    opened = HubModel.open(model)
    assert opened.fitted_for == FIRST
    assert list(opened.heads) == ["logistic", "gru", "lstm"]
    assert {file.name for file in model.iterdir()} == {TENSORS, CLASSIFIERS, JOURNAL}


def test_a_fit_takes_the_last_weights_known_on_its_date(files: dict[str, Path], replayed: Path, tmp_path: Path) -> None:
    weights = json.loads((replayed / "scores.json").read_text())["weights"]
    day = str(DAYS[4])
    assert main(words("fit", files, tmp_path, backtest=str(replayed), reference_date=day)) == 0
    assert HubModel.open(tmp_path).weights == weights[4]["weights"]
    assert len({entry["weights"]["gru"] for entry in weights[2:]}) == 5


def test_another_seasons_weights_are_refused(
    files: dict[str, Path], replayed: Path, tmp_path: Path, capsys: Output
) -> None:
    shutil.copytree(replayed, tmp_path / "run")
    scores = json.loads((replayed / "scores.json").read_text())
    write_text(tmp_path / "run" / "scores.json", json.dumps(scores | {"season": "2022-23"}))
    assert main(words("fit", files, tmp_path / "model", backtest=str(tmp_path / "run"))) == 2
    assert "2022-23" in one_line(capsys.readouterr().err)
    assert not (tmp_path / "model").exists()


def test_a_fit_for_the_week_after_the_newest(files: dict[str, Path], tmp_path: Path, capsys: Output) -> None:
    line = words("fit", files, tmp_path / "model", reference_date=None, season="2023-24")
    assert main(line) == 0
    assert capsys.readouterr().out.endswith("fitted on what was known for 2024-03-02\n")
    opened = HubModel.open(tmp_path / "model")
    assert str(opened.fitted_for) == "2024-03-02"
    assert opened.weights == {"gru": 0.5, "lstm": 0.5}


def test_a_file_in_the_place_of_the_folder_is_reported_before_the_fit(
    files: dict[str, Path], tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_model, "fit_head", lambda *_: pytest.fail("fitted for nothing"))
    (tmp_path / "out").write_text("mine")
    assert main(words("fit", files, tmp_path / "out")) == 2
    assert "is a file; give a folder" in capsys.readouterr().err
    assert (tmp_path / "out").read_text() == "mine"


# --- forecast ---


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize("head", ["pool", "logistic"])
def test_a_submission_that_the_hub_takes(
    files: dict[str, Path], model: Path, tmp_path: Path, capsys: Output, *, form: str, head: str
) -> None:
    day = DAYS[1]
    flags = {"model": str(model), "form": form, "head": head, "name": head, "reference_date": str(day)}
    assert main(words("forecast", files, tmp_path, **flags)) == 0
    shown = capsys.readouterr()
    path = tmp_path / f"{day}-twofold-{head}.{form}"
    assert (
        shown.out
        == f"{path}: forecasts for {day}: 28 of 'wk flu hosp rate change'\n{tmp_path / f'twofold-{head}.yml'}\n"
    )
    assert "the metadata name nobody yet" in one_line(shown.err)
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted([path.name, f"twofold-{head}.yml"])
    check = [
        "hub",
        "validate",
        str(path),
        "--locations",
        str(files["locations"]),
        "--hub",
        str(files["rules"]),
    ]
    assert main(check) == 0
    assert "valid; 28 forecasts" in capsys.readouterr().out
    described = yaml.safe_load((tmp_path / f"twofold-{head}.yml").read_text())
    assert (described["team_abbr"], described["model_abbr"]) == ("twofold", head)
    assert described["ensemble_of_models"] is (head == "pool")
    assert ("gru, lstm" if head == "pool" else "logistic") in described["methods"]


def test_names_go_into_the_metadata(files: dict[str, Path], model: Path, tmp_path: Path, capsys: Output) -> None:
    people = {"contributor": "Ada L.", "affiliation": "Engines", "email": "ada@engines.org", "team": "ours"}
    assert main(words("forecast", files, tmp_path, model=str(model), **people)) == 0
    assert "nobody" not in capsys.readouterr().err
    described = yaml.safe_load((tmp_path / "ours-pool.yml").read_text())
    assert described["model_contributors"] == [{"name": "Ada L.", "affiliation": "Engines", "email": "ada@engines.org"}]


def test_a_place_without_its_newest_week_is_reported(
    files: dict[str, Path], model: Path, tmp_path: Path, capsys: Output
) -> None:
    lines = files["vintages"].read_text().splitlines(keepends=True)
    newest = f",{FIRST - WEEK},02,"
    path = tmp_path / "vintages.csv"
    path.write_text("".join(line for line in lines if newest not in line))
    assert main(words("forecast", files, tmp_path / "out", model=str(model), vintages=str(path))) == 0
    shown = capsys.readouterr()
    assert f"no forecast for 02, whose week to {FIRST - WEEK} is not known" in one_line(shown.err)
    assert "24 of 'wk flu hosp rate change'" in shown.out


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"reference_date": str(FIRST - WEEK)}, "fitted on what was known for 2023-12-02"),
        ({"reference_date": str(LATE)}, "week ending 2023-12-23"),
        ({"reference_date": "2023-13-01"}, "--reference-date must be a day"),
        ({"season": "2024-25"}, "those of 2024-25 are others"),
        ({"head": "trees"}, "--head must be one of pool, logistic, gru, lstm, got 'trees'"),
        ({"team": "two-fold"}, "must be named YYYY-MM-DD-team-model"),
        ({"email": "nobody"}, "--email: "),
    ],
)
def test_what_can_not_be_forecast_is_not_written(
    files: dict[str, Path], model: Path, tmp_path: Path, capsys: Output, *, changed: dict[str, Any], said: str
) -> None:
    out = tmp_path / "out"
    assert main(words("forecast", files, out, **({"model": str(model)} | changed))) == 2
    shown = capsys.readouterr()
    assert said in shown.err
    assert "Traceback" not in shown.err
    assert not out.exists()


def test_a_place_that_can_not_be_written_is_reported(
    files: dict[str, Path], model: Path, tmp_path: Path, capsys: Output
) -> None:
    (tmp_path / "out").write_text("mine")
    assert main(words("forecast", files, tmp_path / "out", model=str(model))) == 2
    assert f"--out {tmp_path / 'out'}: can't be written" in capsys.readouterr().err


def test_a_damaged_model_is_reported(files: dict[str, Path], model: Path, tmp_path: Path, capsys: Output) -> None:
    (tmp_path / TENSORS).write_bytes((model / TENSORS).read_bytes()[:-20])
    assert main(words("forecast", files, tmp_path / "out", model=str(tmp_path))) == 2
    assert f"{tmp_path / TENSORS}: can't be read as a hub's model" in capsys.readouterr().err
    with pytest.raises(InputError):
        HubModel.open(tmp_path)


@pytest.fixture
def locations(tmp_path: Path) -> Path:
    path = tmp_path / "locations.csv"
    PLACES.rename({"name": "location_name"}).write_csv(path)
    return path


@pytest.fixture
def submission(tmp_path: Path) -> Path:
    path = tmp_path / f"{START}-team-model.csv"
    write_submission(path, forecasts_of("team-model", 0).drop("model"), FLUSIGHT, PLACES)
    return path


def test_a_good_submission_is_valid(submission: Path, locations: Path, capsys: Output) -> None:
    assert main(["hub", "validate", str(submission), "--locations", str(locations)]) == 0
    assert capsys.readouterr().out == f"{submission.name}: valid; 12 forecasts of 'wk flu hosp rate change'\n"


def test_a_broken_row_is_named_and_the_status_says_so(submission: Path, locations: Path, capsys: Output) -> None:
    lines = submission.read_text().splitlines()
    lines[3] = lines[3].replace("pmf", "quantile")
    submission.write_text("\n".join(lines) + "\n")
    assert main(["hub", "validate", str(submission), "--locations", str(locations)]) == 2
    shown = capsys.readouterr().out
    assert "output_type" in shown
    assert "row 4" in shown
    assert "found" in shown.splitlines()[-1]
    assert main(["hub", "validate", str(submission), "--locations", str(locations), "--json"]) == 2
    found = json.loads(capsys.readouterr().out)
    assert not found["valid"]
    assert {problem["rule"] for problem in found["problems"]} >= {"output_type"}


def test_a_later_season_uses_the_newest_rules(tmp_path: Path, locations: Path, capsys: Output) -> None:
    path = tmp_path / "2030-11-30-team-model.csv"
    pl.DataFrame({"reference_date": ["2030-11-30"]}).write_csv(path)
    assert main(["hub", "validate", str(path), "--locations", str(locations)]) == 2
    assert "note: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["forecast.csv"], "forecast.csv"),
        (["2024-11-30-team-model.csv", "--hub", "nowhere"], "hub must be one of covid, flusight, rsv"),
        (["2024-11-30-team-model.csv", "--season", "2024"], "season"),
        (["2024-11-30-team-model.csv"], "2024-11-30-team-model.csv"),
    ],
)
def test_what_can_not_be_checked_is_an_error(
    tmp_path: Path, locations: Path, capsys: Output, words: list[str], said: str
) -> None:
    name, *others = words
    assert main(["hub", "validate", str(tmp_path / name), "--locations", str(locations), *others]) == 2
    shown = capsys.readouterr()
    assert said in shown.err
    assert "Traceback" not in shown.err
    assert shown.out == ""


def test_what_is_wrong_is_reported_before_anything_heavy_is_imported() -> None:
    wrong = ["validate none.csv --locations x", "backtest --vintages x --locations x --season 2024-25", "fit --bad"]
    wrong += ["fit --vintages x --locations x --out x", "forecast --model x --vintages x --locations x --out x"]
    code = f"""
import sys
from twofold.cli import main
for words in {wrong!r}:
    try:
        assert main(["hub", *words.split()]) == 2
    except SystemExit as ended:
        assert ended.code == 2
print(*sys.modules)
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    loaded = set(ended.stdout.split())
    assert "twofold.hub.commands" in loaded
    assert not {"torch", "sklearn", "scipy", "matplotlib", "skops"} & loaded
