"""The same command again goes on: real processes, ended where it hurts, leave the files of an uninterrupted run."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors import safe_open

from vae.small import discs, folder_of

pytestmark = pytest.mark.slow

FLAGS = [
    *("--image.size", "16", "--device", "cpu", "--train.precision", "fp32", "--score.sample-images", "0"),
    *("--train.batch-size", "8", "--train.epochs", "12", "--train.patience", "100", "--score.iw-images", "5"),
]
NETWORKS = {
    "linear": ["--likelihood.width", "8"],
    "plain": [
        *("--model.network", "plain", "--model.depth", "1", "--model.width", "8", "--model.latent-dim", "3"),
        *("--likelihood.name", "gaussian"),
    ],
}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of(discs(160), tmp_path_factory.mktemp("images") / "discs")


def start(pictures: Path, out: Path, network: str) -> subprocess.Popen[str]:
    words = ["vae", "run", "--images", str(pictures), "--out", str(out), "--cache", str(out.parent / "cache"), *FLAGS]
    words += NETWORKS[network]
    # Where the tests run in the background, Ctrl-C is ignored, and children would inherit that.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(
            [sys.executable, "-m", "twofold", *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
    finally:
        signal.signal(signal.SIGINT, before)


def end(process: subprocess.Popen[str], when: Callable[[], bool], blow: signal.Signals) -> str:
    """Ends the process once something is so, and gives back what it said."""
    begun = time.monotonic()
    while not when():
        if process.poll() is not None or time.monotonic() - begun > 100:
            process.kill()
            pytest.fail(f"the moment never came: {process.communicate()[1]}")
        time.sleep(0.005)
    process.send_signal(blow)
    said = process.communicate(timeout=100)[1]
    assert process.returncode == (130 if blow == signal.SIGINT else -blow), said
    return said


def steps_saved(out: Path) -> int:
    with safe_open(out / "checkpoint" / "state.safetensors", framework="pt") as file:
        return json.loads(file.metadata()["state"])["step"]


@pytest.mark.parametrize("network", NETWORKS)
def test_ended_at_any_moment_it_goes_on_to_the_same_files(pictures: Path, tmp_path: Path, network: str) -> None:
    whole, cut = tmp_path / "whole" / "run", tmp_path / "cut" / "run"
    metrics = cut / "metrics.jsonl"

    def epochs() -> int:
        return len(metrics.read_text().splitlines()) if metrics.exists() else 0

    said = end(start(pictures, cut, network), lambda: epochs() >= 3, signal.SIGINT)
    assert said.splitlines()[-1] == "interrupted: the same command goes on where this one stopped"
    assert "Traceback" not in said
    saved = steps_saved(cut)
    assert saved >= 3 * steps_of_an_epoch(cut), "Ctrl-C loses no step"

    resumed = start(pictures, cut, network)
    end(resumed, lambda: epochs() >= 7, signal.SIGKILL)
    assert steps_saved(cut) >= saved

    with start(pictures, cut, network) as last:
        assert last.wait(timeout=200) == 0, last.stderr and last.stderr.read()
    with start(pictures, whole, network) as uninterrupted:
        assert uninterrupted.wait(timeout=200) == 0
    for name in ("model.safetensors", "arrays.npz", "images.parquet", "config.json"):
        assert (whole / name).read_bytes() == (cut / name).read_bytes(), name
    assert timeless(whole) == timeless(cut)


def steps_of_an_epoch(out: Path) -> int:
    """At least: batches of 8 images."""
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return (lines[0]["images"] - 1) // 8


def timeless(out: Path) -> list[object]:
    scores = json.loads((out / "scores.json").read_text())
    scores["training"] = {key: value for key, value in scores["training"].items() if "second" not in key}
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [scores, *({key: value for key, value in line.items() if key != "seconds"} for line in lines)]
