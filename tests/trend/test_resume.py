"""The same command again goes on: real processes, killed where it hurts, end with the files of an uninterrupted run."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file

from trend.small import epidemic
from twofold.cli import main
from twofold.engine.sound import JOURNAL

pytestmark = pytest.mark.slow

EPOCHS = 8
FLAGS = [
    *("--source.kind", "cumulative", "--window.length", "7", "--features.inputs", "log1p", "change", "history"),
    *("--model.layers", "2", "--model.dropout", "0.2", "--model.embedding", "2", "--ensemble.seeds", "2"),
    *("--train.epochs", str(EPOCHS), "--train.batch-size", "8", "--train.patience", "100", "--train.jobs", "2"),
    *("--train.learning-rate", "1e-4", "--score.bootstrap", "20"),
]
Found = Callable[[Path], bool]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "cases.csv"
    epidemic(regions=8, dates=60).frame().select("region", "date", "value").write_csv(path)
    return path


def words(table: Path, out: Path) -> list[str]:
    return ["trend", "run", "--data", str(table), "--out", str(out), *FLAGS]


def start(table: Path, out: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "twofold", *words(table, out)]
    # Where the tests run in the background, Ctrl-C is ignored, and children would inherit that.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def uninterrupted(
    table: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, subprocess.Popen[str]]]:
    """A run that nobody ends, still on its way."""
    out = tmp_path_factory.mktemp("whole") / "run"
    with start(table, out) as process:
        yield out, process
        process.kill()


def test_a_second_process_on_the_folder_is_told_so(
    table: Path, uninterrupted: tuple[Path, subprocess.Popen[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    out, first = uninterrupted
    wait_for(first, out, lambda path: (path / "config.json").exists())
    first.send_signal(signal.SIGSTOP)  # held, so that it can't end meanwhile
    try:
        status = main(words(table, out))
    finally:
        first.send_signal(signal.SIGCONT)

    assert status == 2
    assert f"error: {out}: another process writes to this run folder" in capsys.readouterr().err


def test_ended_at_any_moment_it_goes_on_to_the_same_files(
    table: Path, uninterrupted: tuple[Path, subprocess.Popen[str]], tmp_path: Path
) -> None:
    out, draw = tmp_path / "run", np.random.default_rng(2020)
    said = strike_while_training(table, out, "select", signal.SIGINT)
    assert said.splitlines()[-1] == "interrupted: the same command goes on where this one stopped"
    assert "Traceback" not in said
    cut_in_the_epoch_loop(out, "select")
    assert epochs_saved(out) == epochs_logged(out), "Ctrl-C loses no finished epoch"

    before = epochs_saved(out)
    strike_while_training(table, out, "evaluate", signal.SIGKILL)
    cut_in_the_epoch_loop(out, "evaluate")
    assert all(epochs_saved(out)[name] >= epochs for name, epochs in before.items())

    strike(table, out, resumed(), signal.SIGKILL, delay=draw.uniform(0, 0.5))
    assert not (out / "DONE").exists()

    strike(table, out, lambda run: len(list(run.glob("figures/*.svg"))) >= 3, signal.SIGKILL, draw.uniform(0, 0.1))
    cut_while_figures_are_written(out)

    finish(start(table, out))
    whole, process = uninterrupted
    finish(process)
    assert differences(whole, out) == []


def test_a_finished_run_is_left_alone(
    table: Path, uninterrupted: tuple[Path, subprocess.Popen[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    out, process = uninterrupted
    finish(process)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file() and path.name != ".lock"}

    assert main(words(table, out)) == 0
    shown = capsys.readouterr()
    assert "finished; --overwrite runs it again" in " ".join(shown.err.split())
    assert "report.html" in shown.out
    assert {path: path.stat().st_mtime_ns for path in before} == before


def wait_for(process: subprocess.Popen[str], out: Path, found: Found) -> None:
    """Watches the folder until it shows what is awaited."""
    begun = time.monotonic()
    while not found(out):
        if process.poll() is not None:
            pytest.fail(f"ended with {process.returncode} before the moment came: {process.communicate()[1]}")
        if time.monotonic() - begun > 100:
            process.kill()
            pytest.fail("the moment never came")
        time.sleep(0.005)


def strike(table: Path, out: Path, found: Found, blow: signal.Signals, delay: float = 0.0) -> str:
    """Starts the command, ends it a moment after the folder shows what is awaited, and gives back what it said."""
    process = start(table, out)
    wait_for(process, out, found)
    time.sleep(delay)
    return end(process, blow)


def strike_while_training(table: Path, out: Path, stage: str, blow: signal.Signals) -> str:
    """Ends the command between two epochs' records of a stage, after it saved some of them.

    States are saved once a second. A process that is held ages without working: so it saves right after, however fast
    the machine, and has most of its epochs before it.
    """
    process, moment, begun = start(table, out), resumed(), time.time()
    wait_for(process, out, lambda run: moment(run) and any(name.startswith(stage) for name in epochs_logged(run)))
    process.send_signal(signal.SIGSTOP)
    time.sleep(1.1)
    process.send_signal(signal.SIGCONT)
    saved = f"checkpoint/{stage}-*.safetensors"
    wait_for(process, out, lambda run: any(path.stat().st_mtime > begun for path in run.glob(saved)))
    return end(process, blow)


def end(process: subprocess.Popen[str], blow: signal.Signals) -> str:
    process.send_signal(blow)
    _, said = process.communicate(timeout=60)
    assert process.returncode == (130 if blow == signal.SIGINT else -blow), said
    return said


def resumed() -> Found:
    """Whether a log begun after this call is there: the process works on its epochs."""
    begun = time.time()
    return lambda out: (out / "metrics.jsonl").exists() and (out / "metrics.jsonl").stat().st_mtime > begun


def finish(process: subprocess.Popen[str]) -> None:
    """Waits for the end of a run, unless that was done before."""
    if process.returncode is None:
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said
        assert "Traceback" not in said


def cut_in_the_epoch_loop(out: Path, stage: str) -> None:
    """Asserts from the folder alone that a stage's training was cut: begun, saved at least once, not at its end."""
    logged, saved = epochs_logged(out), epochs_saved(out)
    assert any(epochs > 0 for name, epochs in saved.items() if name.startswith(stage))
    assert any(0 < logged.get(f"{stage}-gru-{index}", 0) < EPOCHS for index in range(2)), logged
    later = {"select": ("evaluate", "final"), "evaluate": ("final-gru-1",)}[stage]
    assert not any(name.startswith(later) for name in logged | saved)
    for name in ("model.safetensors", "scores.json", "predictions.parquet", "report.html", "DONE"):
        assert not (out / name).exists(), name


def cut_while_figures_are_written(out: Path) -> None:
    assert (out / "scores.json").exists()
    assert (out / "model.safetensors").exists()
    assert list(out.glob("figures/*.svg"))
    assert not (out / "report.html").exists()
    assert not (out / "DONE").exists()


def epochs_saved(out: Path) -> dict[str, int]:
    """Epochs in each checkpoint."""
    epochs = {}
    for path in out.glob("checkpoint/[!.]*"):
        with safe_open(path, framework="np") as file:
            epochs[path.stem] = len(json.loads(file.metadata()["state"])["history"])
    return epochs


def epochs_logged(out: Path) -> dict[str, int]:
    """Epochs of each network in the log; a kill may have cut its last line."""
    epochs: dict[str, int] = {}
    for line in (out / "metrics.jsonl").read_text().splitlines(keepends=True):
        if line.endswith("\n"):
            record = json.loads(line)
            name = f"{record['stage']}-{record['member']}"
            epochs[name] = max(epochs.get(name, 0), record["epoch"])
    return epochs


def differences(one: Path, two: Path) -> list[str]:
    """Names of the files in which two run folders differ, but for times, the folder's own name and the log."""
    files = [sorted(str(item.relative_to(run)) for item in run.rglob("*") if item.is_file()) for run in (one, two)]
    assert files[0] == files[1]
    assert {"DONE", "report.html", "map.svg", "tomorrow.parquet", "arrays.npz"} < set(files[0])
    assert sum(name.startswith("figures/") for name in files[0]) > 20
    return [name for name in files[0] if not same_file(one / name, two / name)]


def same_file(one: Path, two: Path) -> bool:
    if one.name in ("log.txt", JOURNAL):  # tells when each command began and ended; has digests of the others
        return True
    if one.name == "metrics.jsonl":
        return timeless(one) == timeless(two)
    if one.name == "manifest.json":
        kept = ({**json.loads(path.read_text()), "command": 0, "wall_time_s": 0} for path in (one, two))
        return next(kept) == next(kept)
    if one.parent.name == "checkpoint":
        return same_checkpoint(one, two)
    if one.name == "predictions.parquet":
        return pl.read_parquet(one).equals(pl.read_parquet(two))
    return one.read_bytes() == two.read_bytes()


def timeless(path: Path) -> list[dict[str, Any]]:
    records = [json.loads(line) for line in path.read_text().splitlines()]
    return [{key: value for key, value in record.items() if key != "seconds"} for record in records]


def same_checkpoint(one: Path, two: Path) -> bool:
    tensors, others = load_file(one), load_file(two)
    return tensors.keys() == others.keys() and all(np.array_equal(tensors[name], others[name]) for name in tensors)
