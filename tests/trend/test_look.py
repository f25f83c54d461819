"""`trend look`: what it prints and proposes, what it refuses, and that the commands it prints run."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from trend.test_advice import CASES, DAYS, REGIONS, SUSPECTED, long, text, total, write
from twofold.cli import main

Output = pytest.CaptureFixture[str]
TINY = [
    *("--train.epochs", "1", "--ensemble.seeds", "1", "--ensemble.partners", "logistic", "--score.bootstrap", "20"),
    *("--model.hidden", "3"),
]
ONE_JOB = {"run": ("--train.jobs", "1"), "backtest": ("--jobs", "1", "--walk.warmup", "1", "--last", "2")}


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Weekly reports in a daily table, under a name that a shell would take apart."""
    folder = tmp_path / "my tables"
    folder.mkdir()
    path = folder / 'it\'s "new" $HOME.csv'
    path.write_text(str(SUSPECTED["weekly reports in a daily table"].content))
    return path


def commands(shown: str) -> dict[str, list[str]]:
    """The words of the printed command lines, by command."""
    lines = [shlex.split(line) for line in shown.split("\nNext:\n")[1].splitlines()]
    return {words[2]: words for words in lines}


def test_the_printed_commands_can_be_pasted_and_run(table: Path, tmp_path: Path, capsys: Output) -> None:
    assert main(["trend", "look", str(table)]) == 0
    found = commands(capsys.readouterr().out)
    assert found.keys() == {"run", "backtest"}
    for name, words in found.items():
        assert words[:5] == ["twofold", "trend", name, "--data", str(table)]
        assert words[5:8] == ["--weekly", "--recipe", {"run": "weekly", "backtest": "walk-next-week"}[name]]
        out = tmp_path / name
        assert main([*words[1:], "--out", str(out), *TINY, *ONE_JOB[name]]) == 0
        assert json.loads((out / "config.json").read_text())["source"]["weekly"] is True
        assert (out / "DONE").exists()


def test_json_holds_the_same(table: Path, capsys: Output) -> None:
    assert main(["trend", "look", str(table)]) == 0
    shown = capsys.readouterr().out
    assert main(["trend", "look", str(table), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    kinds = {name: type(value) for name, value in found.items()}
    assert kinds == {
        **dict.fromkeys(("file", "layout", "separator", "first", "last", "kind", "digest"), str),
        **dict.fromkeys(("dates", "step_days", "cases", "filled"), int),
        **dict.fromkeys(("regions", "notes", "suspicions"), list),
        **dict.fromkeys(("columns", "commands", "problems"), dict),
    }
    assert (found["file"], found["layout"], found["separator"]) == (str(table), "long", ",")
    assert found["columns"] == {"region": ["region"], "date": ["date"], "count": ["value"]}
    assert found["regions"] == list(REGIONS)
    assert (found["dates"], found["first"], found["last"], found["step_days"]) == (150, "2023-01-02", "2023-05-31", 1)
    assert (found["kind"], found["filled"], found["problems"]) == ("incident", 0, {})
    assert f"{found['cases']:,} cases in all" in shown
    assert found["commands"] == commands(shown)
    assert all(f"SUSPICION: {each}\n" in shown for each in found["suspicions"])
    assert len(found["suspicions"]) == 1
    assert len(found["digest"]) == 64


@pytest.mark.parametrize("more", [(), ("--json",), ("--out", "found.txt")], ids=str)
def test_a_refused_table_shows_its_columns_and_the_message(
    more: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write(CASES["two columns of numbers"], tmp_path)
    assert main(["trend", "look", str(path), *more]) == 2
    shown = capsys.readouterr()
    *columns, message = shown.err.splitlines()
    assert [line.split()[0] for line in columns] == ["'region'", "'date'", "'tests'", "'positive'"]
    assert columns[0].endswith("Altmark, Bergland, Cusanus, …")
    assert message.startswith(f"error: {path}, row 1: the columns 'tests', 'positive' could hold the counts")
    assert shown.out == ""
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("name", ["missing.csv", "."])
def test_a_file_that_is_none_is_one_line(name: str, tmp_path: Path, capsys: Output) -> None:
    assert main(["trend", "look", str(tmp_path / name)]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert len(shown.err.splitlines()) == 1


def test_what_would_be_refused_whatever_is_tried_is_said(tmp_path: Path, capsys: Output) -> None:
    path = tmp_path / "short.csv"
    path.write_text(long(days=4))
    assert main(["trend", "look", str(path)]) == 0
    shown = capsys.readouterr().out
    for name in ("run", "backtest"):
        assert f"`twofold trend {name}` would refuse it, even with --w" in shown
    assert "window.length 4 from window.start 0 with 1 dates ahead needs 5 increments, the data has 4" in shown
    assert "Next:" not in shown


def test_one_region_and_unlike_regions_go_without_the_screen(tmp_path: Path, capsys: Output) -> None:
    one, unlike = tmp_path / "one.csv", tmp_path / "unlike.csv"
    one.write_text("\n".join(line for line in long().splitlines() if line[:3] in ("reg", REGIONS[0][:3])))
    unlike.write_text(long(lambda r, i: (7 * i * (r + 1) ** 2 + i * i * r) % 23))
    for path in (one, unlike):
        assert main(["trend", "look", str(path)]) == 0
        words = commands(capsys.readouterr().out)["run"]
        assert words[words.index("--screen.threshold") + 1] == "None"


def test_it_writes_a_file(table: Path, tmp_path: Path, capsys: Output) -> None:
    assert main(["trend", "look", str(table)]) == 0
    shown = capsys.readouterr().out
    for more in ((), ("--json",)):
        assert main(["trend", "look", str(table), "--out", str(tmp_path / "new" / "found"), *more]) == 0
        assert capsys.readouterr().out == ""
    assert json.loads((tmp_path / "new" / "found").read_text())["commands"] == commands(shown)
    assert main(["trend", "look", str(table), "--out", str(tmp_path)]) == 2
    assert f"--out {tmp_path}: can't be written" in capsys.readouterr().err


@pytest.mark.parametrize("encoding", ["ascii", "utf-8", "cp1252"])
def test_any_terminal_will_do_and_nothing_that_trains_is_loaded(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "counts.csv"
    rows = (
        (name, 2020 + i // 50, 1 + i % 50, total(r, i)) for r, name in enumerate(("Łódź", "서울")) for i in range(DAYS)
    )
    path.write_text(text(("Ort", "Jahr", "KW", "Fälle"), rows), encoding="utf-8")
    code = (
        "import sys\nfrom twofold.cli import main\nstatus = main(sys.argv[1:])\n"
        "print({'torch', 'sklearn', 'scipy', 'matplotlib', 'joblib'} & sys.modules.keys())\nsys.exit(status)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, "trend", "look", str(path)],
        capture_output=True,
        check=False,
        env=os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
        timeout=60,
    )
    assert (ended.returncode, ended.stderr) == (0, b"")
    shown = ended.stdout.decode(encoding)
    assert shown.splitlines()[-1] == "set()"
    assert ("Łódź" in shown, "▁" in shown) == ((True, True) if encoding == "utf-8" else (False, False))
    assert ("F\\xe4lle" in shown) == (encoding == "ascii")


def test_ctrl_c_ends_it_without_a_traceback(table: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("twofold.counts.look.find_roles", interrupt)
    assert main(["trend", "look", str(table)]) == 130
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("interrupted")
    assert len(shown.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "PATH"),
        (("a.csv", "b.csv"), "b.csv"),
        (("a.csv", "--source.kind", "both"), "--source.kind"),
        (("a.csv", "--source.where", "age"), "--source.where: Value error, a condition is written COLUMN=VALUE"),
        (("a.csv", "--source.drop-last", "-1"), "--source.drop-last: Input should be greater than or equal to 0"),
    ],
    ids=str,
)
def test_wrong_words_are_explained(words: tuple[str, ...], said: str, capsys: Output) -> None:
    try:
        status = main(["trend", "look", *words])
    except SystemExit as ended:
        status = ended.code
    shown = capsys.readouterr()
    assert (status, shown.out) == (2, "")
    assert said in shown.err
