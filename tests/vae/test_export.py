"""Exported models: equal to the model in a program of their own, called as their card says; nothing else is written.

Exports run in processes without the checks of shapes and types, which see the inside of a tracer.
"""

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from twofold.cli import main
from twofold.engine.files import write_text
from twofold.vae import load
from vae.small import discs, folder_of

FLAGS = [
    *("--image.size", "16", "--split.validation-fraction", "0.2", "--split.test-fraction", "0.2"),
    *("--train.batch-size", "16", "--train.epochs", "1", "--device", "cpu", "--score.iw-images", "5"),
]
KINDS = {
    "plain": ["--recipe", "plain", "--model.depth", "1", "--model.width", "4", "--model.latent-dim", "3"],
    "linear": ["--model.network", "linear", "--likelihood.name", "gaussian", "--model.latent-dim", "3"],
    "original": ["--recipe", "original", "--model.latent-dim", "3", "--image.channels", "1", "--image.size", "9", "14"],
}
Output = pytest.CaptureFixture[str]


@pytest.fixture(scope="module", params=KINDS)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of each network, without its page, which no export reads."""
    folder = tmp_path_factory.mktemp(request.param)
    words = ["--images", str(folder_of(discs(60), folder / "discs")), "--out", str(folder / "run")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("twofold.vae.report.run.write", lambda folder: None)
        assert main(["vae", "run", *words, "--cache", str(folder / "cache"), *FLAGS, *KINDS[request.param]]) == 0
    return folder / "run"


def twofold(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "twofold", *words]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
    assert ended.returncode == 0, ended.stderr
    return ended


def exported(run: Path, to: str, out: Path) -> str:
    ended = twofold("vae", "export", str(run), "--to", to, "--out", str(out))
    assert ended.stderr == ""
    return ended.stdout


def called(card: Path) -> dict[str, Any]:
    """What the lines of a card compute, called in its folder on the images in x.npy."""
    [lines] = re.findall(r"```python\n(.*?)```", card.read_text(encoding="utf-8"), re.S)
    assert len(lines.splitlines()) == 5
    lines = re.sub(r"(?m)^x = .*$", "x = images", lines)
    save = "np.savez('found.npz', mu=np.asarray(mu), logvar=np.asarray(logvar), picture=np.asarray(picture))"
    given = "torch.from_numpy(np.load('x.npy'))" if "torch" in lines else "np.load('x.npy')"
    code = f"import numpy as np, torch\nimages = {given}\n{lines}\nwith torch.no_grad():\n    {save}\n"
    subprocess.run([sys.executable, "-c", code], cwd=card.parent, check=True, timeout=200)
    with np.load(card.parent / "found.npz") as found:
        return dict(found)


@pytest.mark.parametrize(
    ("to", "suffix", "files"),
    [("torchscript", ".pt", ["faces.pt"]), ("onnx", ".onnx", ["faces-encoder.onnx", "faces-decoder.onnx"])],
)
def test_what_the_files_compute_is_what_the_model_does(
    run: Path, tmp_path: Path, to: str, suffix: str, files: list[str]
) -> None:
    said = exported(run, to, tmp_path / "new" / f"faces{suffix}")
    assert [Path(line).name for line in said.splitlines()[:-1]] == [*files, "faces.md"]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted([*files, "faces.md"])
    assert float(said.rpartition(":")[2]) <= 1e-5
    for name in files:
        content = (tmp_path / "new" / name).read_bytes()
        assert str(Path(torch.__file__).parents[2]).encode() not in content
        assert b"site-packages" not in content

    model = load(run)
    image = model.config.image
    pictures = discs(4, (image.height, image.width), image.channels, seed=7)
    np.save(tmp_path / "new" / "x.npy", (pictures / np.float32(255)).transpose(0, 3, 1, 2))
    found = called(tmp_path / "new" / "faces.md")
    mu, logvar = model.posterior(pictures)
    np.testing.assert_allclose(found["mu"], mu, atol=1e-5)
    np.testing.assert_allclose(found["logvar"], logvar, atol=1e-5)
    np.testing.assert_allclose(found["picture"].transpose(0, 2, 3, 1), model.decode(mu), atol=1e-5)


def test_the_card_says_what_the_run_was(run: Path, tmp_path: Path) -> None:
    exported(run, "torchscript", tmp_path / "faces.pt")
    scores = json.loads((run / "scores.json").read_text())
    scores["codecs"] = {"png": {"bits_per_dim": 1.234}, "webp": {"bits_per_dim": 0.987}}
    before = (tmp_path / "faces.md").read_text(encoding="utf-8")
    assert hashlib.sha256((run / "model.safetensors").read_bytes()).hexdigest() in before
    assert scores["data"]["digest"] in before
    assert f"| this model | {'–' if scores['test']['bits_per_dim'] is None else ''}" in before
    assert ("Bernoulli likelihood has none" in before) == (scores["test"]["bits_per_dim"] is None)
    assert f"{scores['test']['mse']:.5f}" in before
    assert (
        f"| probabilistic PCA, {scores['linear']['components']} components | {scores['linear']['bits_per_dim']:,.3f}"
        in before
    )
    write_text(run / "scores.json", json.dumps(scores))
    exported(run, "torchscript", tmp_path / "faces.pt")
    after = (tmp_path / "faces.md").read_text(encoding="utf-8")
    assert "| PNG | 1.234 | – |\n| lossless WebP | 0.987 | – |" in after


def test_a_file_that_differs_is_not_written(run: Path, tmp_path: Path) -> None:
    code = (
        "import sys, twofold.vae.export as e; from twofold.cli import main; e.TOLERANCE = -1.0;"
        f"sys.exit(main(['vae', 'export', {str(run)!r}, '--to', 'torchscript', '--out', {str(tmp_path / 'x.pt')!r}]))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=200)
    assert ended.returncode == 1
    assert "the torchscript export differs from the model by" in ended.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--to", "torchscript", "--out", "x.onnx"], "--out x.onnx: must end with .pt (torchscript)"),
        (["--to", "onnx", "--out", "x.pt"], "--out x.pt: must end with .onnx (onnx)"),
        (["--to", "torchscript", "--out", "/dev/null/x.pt"], "--out /dev/null/x.pt: can't be written"),
        (["--to", "torchscript"], "nowhere: holds no finished run"),
        (["--to", "onnx"], "--to onnx: needs onnxscript; install with `pip install 'twofold[onnx]'`"),
        (["--to", "onnxx"], "invalid choice"),
        ([], "--to"),
    ],
)
def test_what_can_not_be_exported_is_said(
    capsys: Output, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    monkeypatch.setattr("twofold.vae.commands.find_spec", lambda name: None if name == "onnxscript" else object())
    try:
        status = main(["vae", "export", "nowhere", *words])
    except SystemExit as ended:
        status = ended.code
    assert status == 2
    assert said in capsys.readouterr().err
