"""`torchrun -m twofold vae run`: several processes on one run folder, and other numbers of them that go on there."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from twofold.cli import main
from vae.small import discs, folder_of

pytestmark = pytest.mark.slow
FLAGS = [
    *("--image.size", "16", "--device", "cpu", "--train.precision", "fp32", "--score.sample-images", "0"),
    *("--train.batch-size", "8", "--train.epochs", "3", "--train.patience", "100", "--score.iw-images", "5"),
]
PLAIN = ["--model.network", "plain", "--model.depth", "1", "--model.width", "8", "--model.latent-dim", "3"]


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("images")
    pictures = folder_of(discs(90), folder / "discs")
    return ["vae", "run", "--images", str(pictures), "--cache", str(folder / "cache"), *FLAGS]


def torchrun(words: list[str], processes: int = 2) -> subprocess.Popen[str]:
    launch = ["-m", "torch.distributed.run", "--nproc-per-node", str(processes), "-m", "twofold", *words]
    return subprocess.Popen(
        [sys.executable, *launch], env=os.environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def whole(process: subprocess.Popen[str]) -> None:
    said = process.communicate(timeout=300)[1]
    assert process.returncode == 0, said


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def loss(folder: Path) -> float:
    return json.loads((folder / "scores.json").read_text())["validation"]["negative_elbo_nats"]


@pytest.mark.parametrize("network", ["linear", "plain"])
def test_two_processes_fill_the_folder_that_one_does(words: list[str], tmp_path: Path, network: str) -> None:
    more = [*PLAIN, "--likelihood.name", "gaussian"] if network == "plain" else ["--likelihood.width", "8"]
    whole(torchrun([*words, *more, "--out", str(tmp_path / "two")]))
    assert main([*words, *more, "--out", str(tmp_path / "one")]) == 0
    assert files(tmp_path / "two") == files(tmp_path / "one")
    lines = [(tmp_path / name / "metrics.jsonl").read_text().splitlines() for name in ("two", "one")]
    assert len(lines[0]) == len(lines[1]) == 3
    two, one = (loss(tmp_path / name) for name in ("two", "one"))
    assert two == pytest.approx(one, rel=0.2) and two != one
    assert json.loads((tmp_path / "two" / "manifest.json").read_text())["device"] == "cpu, 2 processes"


def test_one_process_goes_on_where_two_were_killed(words: list[str], tmp_path: Path) -> None:
    words = [*words, *PLAIN, "--likelihood.name", "gaussian", "--train.epochs", "400", "--out", str(tmp_path / "run")]
    process, state = torchrun(words), tmp_path / "run" / "checkpoint" / "state.safetensors"
    begun = time.monotonic()
    while not state.exists():
        assert process.poll() is None and time.monotonic() - begun < 200
        time.sleep(0.05)
    process.kill()
    process.communicate()
    subprocess.run(["pkill", "-9", "-f", str(tmp_path / "run")], check=False)  # kill -9 leaves its processes behind
    assert main(words) == 0
    records = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [record["epoch"] for record in records] == list(range(1, len(records) + 1))
    assert (tmp_path / "run" / "DONE").exists()
    whole(torchrun(words))  # finished: no process waits for another


def test_other_commands_are_not_for_torchrun(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "any")
    assert main(["vae", "sweep"]) == 2
    assert "torchrun is for `twofold vae run` alone" in capsys.readouterr().err
