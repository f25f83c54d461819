"""The study's commands through the command line: what they write, what they refuse, what they leave alone."""

import hashlib
import json
import platform
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image

from twofold import vae
from twofold.cli import main
from twofold.engine.files import write_text
from twofold.trend.config import TrendConfig
from twofold.vae import account, load, sweep
from twofold.vae.config import SweepConfig, VaeConfig
from twofold.vae.latent import to_pixels
from vae.small import discs, folder_of

FLAGS = [
    *("--model.network", "plain", "--likelihood.name", "gaussian"),
    *("--image.size", "16", "--model.depth", "1", "--model.width", "4", "--model.latent-dim", "3"),
    *("--split.validation-fraction", "0.2", "--split.test-fraction", "0.2", "--train.batch-size", "16"),
    *("--train.epochs", "2", "--device", "cpu", "--score.iw-images", "5", "--score.iw-samples", "3"),
]
Output = pytest.CaptureFixture[str]


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A cache of this module's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TWOFOLD_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = folder_of(discs(60), tmp_path_factory.mktemp("images") / "discs")
    (folder / "broken.png").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def run(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, made through the command line."""
    out = tmp_path_factory.mktemp("runs") / "run"
    assert main(["vae", "run", "--images", str(pictures), "--out", str(out), *FLAGS]) == 0
    return out


def refused(capsys: Output, *words: str) -> str:
    """The message of a command that ends with status 2; nothing on standard output, no traceback."""
    try:
        status = main(list(words))
    except SystemExit as ended:
        status = ended.code
    shown = capsys.readouterr()
    assert status == 2, shown
    assert shown.out == ""
    assert "Traceback" not in shown.err
    return shown.err


def state(run: Path) -> dict[str, tuple[int, int]]:
    """Size and time of each file but the lock."""
    files = (path for path in run.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


def test_a_run_leaves_the_whole_folder_and_says_what_it_found(pictures: Path, run: Path, capsys: Output) -> None:
    before = state(run)
    assert main(["vae", "run", "--images", str(pictures), "--out", str(run), *FLAGS]) == 0  # finished: printed again
    shown = capsys.readouterr()
    assert state(run) == before
    files = {path.name for path in run.iterdir()} - {".lock"}
    assert files == {
        *("config.json", "metrics.jsonl", "checkpoint", "model.safetensors", "scores.json", "arrays.npz"),
        *("images.parquet", "test.parquet", "skipped.json", "figures", "report.html", "manifest.json", "log.txt"),
        *("twofold.sha256", "DONE"),
    }
    scores = json.loads((run / "scores.json").read_text())
    assert (scores["data"]["images"], scores["data"]["skipped"]) == (60, 1)
    assert f"{scores['test']['negative_elbo_nats']:,.1f}" in shown.out
    assert f"{scores['codecs']['webp']['bits_per_dim']:.4f}" in shown.out
    assert str(run / "report.html") in shown.out
    assert "holds this very run, finished" in re.sub(r"\s+", " ", shown.err)
    assert "1 of discs's files were skipped (broken.png" in re.sub(r"\s+", " ", shown.err)


def test_no_path_time_or_host_in_config_and_model(pictures: Path, run: Path) -> None:
    for name in ("config.json", "model.safetensors", "images.parquet", "test.parquet", "arrays.npz"):
        content = (run / name).read_bytes()
        assert str(pictures).encode() not in content
        assert str(run).encode() not in content
    assert "device" not in (run / "config.json").read_text()
    log = (run / "log.txt").read_text()
    assert str(run.parent) not in log and str(pictures.parent) not in log and platform.node() not in log
    assert "1 of discs's files were skipped (broken.png" in log
    assert [line.split()[1:3] for line in log.splitlines() if "train_loss" in line] == [
        ["epoch", "1,"],
        ["epoch", "2,"],
    ]
    assert json.loads((run / "manifest.json").read_text())["device"] == "cpu"


def test_the_same_command_twice_gives_the_same_bytes(pictures: Path, run: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    assert main(["vae", "run", "--images", str(pictures), "--out", str(again), *FLAGS]) == 0
    for name in ("config.json", "model.safetensors", "arrays.npz", "images.parquet", "test.parquet"):
        assert (again / name).read_bytes() == (run / name).read_bytes(), name
    one, two = (json.loads((folder / "scores.json").read_text()) for folder in (run, again))
    timeless = ("seconds", "images_per_second")
    for scores in (one, two):
        for key in timeless:
            del scores["training"][key]
    assert one == two


def test_the_folder_names_recipe_and_digest_when_none_is_given(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("twofold.vae.run.execute", _interrupt)
    found = []
    for seed in ("1", "1", "2"):
        assert main(["vae", "run", "--images", str(pictures), "--seed", seed, *FLAGS]) == 130
        found.append({path.name for path in (tmp_path / "runs" / "vae").iterdir()})
    assert found[1] == found[0]
    assert [len(names) for names in found] == [1, 1, 2]
    assert all(re.fullmatch(r"default-[0-9a-f]{10}", name) for name in found[2])


def _interrupt(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt


def test_the_demo_runs_both_default_recipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, Any]] = []
    monkeypatch.setattr("twofold.trend.commands.run_with", lambda flags, command: seen.append(("trend", flags)))
    monkeypatch.setattr("twofold.vae.commands.run_with", lambda flags, command: seen.append(("vae", flags)))
    assert main(["demo", "--out", str(tmp_path)]) == 0
    assert [(name, flags.config.recipe, flags.out) for name, flags in seen] == [
        ("trend", "default", tmp_path / "trend"),
        ("vae", "default", tmp_path / "vae"),
    ]
    assert seen[0][1].data is None
    assert seen[1][1].images is None


def test_without_images_the_avatars_are_used_and_their_attributes_kept(tmp_path: Path, capsys: Output) -> None:
    out = tmp_path / "run"
    assert main(["vae", "run", "--out", str(out), *FLAGS, "--image.avatars", "40"]) == 0
    scores = json.loads((out / "scores.json").read_text())
    assert scores["embedded"] is True
    assert scores["data"]["images"] == 40
    assert len(pl.read_parquet(out / "labels.parquet")) == 40
    assert main(["vae", "reconstruct", str(out), "--out", str(tmp_path / "r.png")]) == 0  # rendered again: no --images
    each = tmp_path / "each.parquet"
    assert main(["vae", "score", str(out), "--per-image", str(each)]) == 0
    frame = pl.read_parquet(each)
    assert len(frame) == scores["data"]["test"]
    assert frame["nearest_train"].null_count() == 0
    assert frame["bits_per_dim"].mean() == pytest.approx(scores["test"]["bits_per_dim"], rel=1e-12)
    scores["data"]["digest"] = "that of another version"
    write_text(out / "scores.json", json.dumps(scores))
    capsys.readouterr()
    assert "drawn differently here" in refused(capsys, "vae", "score", str(out), "--per-image", str(each))


def test_labels_of_a_file_are_scored_and_part_of_the_data(
    pictures: Path, run: Path, tmp_path: Path, capsys: Output
) -> None:
    bright = discs(60).mean(axis=(1, 2, 3))
    rows = [f"picture-{k:04d}.png,{'bright' if bright[k] > np.median(bright) else 'dark'}" for k in range(60)]
    labels, out = tmp_path / "labels.csv", tmp_path / "run"
    labels.write_text("\n".join(["image,light", *rows, "none.png,dark"]))
    words = ["vae", "run", "--images", str(pictures), "--out", str(out), *FLAGS, "--labels", str(labels)]
    words += ["--split.test-fraction", "0.45", "--train.epochs", "1"]
    assert main(words) == 0
    assert "names that are no image's: 1 (none.png)" in re.sub(r"\s+", " ", capsys.readouterr().err)
    scores = json.loads((out / "scores.json").read_text())
    assert scores["embedded"] is False
    assert (scores["factors"]["origin"], scores["factors"]["unmatched_examples"]) == ("file", ["none.png"])
    assert [each["name"] for each in scores["factors"]["factors"]] == ["light"]
    assert pl.read_parquet(out / "labels.parquet").columns == ["name", "light"]
    assert "coloured by light" in (out / "report.html").read_text()
    labels.write_text(labels.read_text().replace("bright", "light"))
    assert "holds a run on other data" in refused(capsys, *words)
    labels.write_text("image,light\nnone.png,dark")
    assert "none of its 1 names is an image's" in refused(capsys, *words)
    alone = [*words[:2], *words[4:]]
    assert "--labels: the avatars' attributes are known" in refused(capsys, *alone)
    assert json.loads((run / "scores.json").read_text())["factors"] is None


def test_class_folders_are_a_factor_of_every_run_of_a_sweep(tmp_path: Path) -> None:
    pictures, out = discs(60), tmp_path / "sweep"
    for folder, part in (("one", pictures[:30]), ("two", pictures[30:])):
        folder_of(part, tmp_path / "images" / folder)
    words = ["vae", "sweep", "--images", str(tmp_path / "images"), "--out", str(out), *FLAGS, "--betas", "0", "1"]
    assert main([*words, "--train.epochs", "1", "--split.test-fraction", "0.45", "--jobs", "1"]) == 0
    for each in json.loads((out / "sweep.json").read_text())["runs"]:
        factors = each["scores"]["factors"]
        assert (factors["origin"], [row["name"] for row in factors["factors"]]) == ("folders", ["folder"])


def test_every_command_takes_images_that_are_not_square(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a size that blocks and strides don't divide: what is shown and written has the images' own."""
    monkeypatch.chdir(tmp_path)
    source = ["--images", str(pictures), "--device", "cpu"]
    sized = ["--image.size", "9", "14", "--likelihood.width", "4", "--train.images", "32", "--score.iw-images", "5"]
    parts = ["--split.validation-fraction", "0.2", "--split.test-fraction", "0.2"]
    assert main(["vae", "run", *source[:2], *sized, *parts, "--out", "run"]) == 0
    scores = json.loads(Path("run/scores.json").read_text())
    assert scores["data"]["shape"] == [60, 3, 9, 14]
    steps = [layer["shape"] for layer in scores["model"]["layers"] if layer["part"] == "likelihood"]
    assert steps == [[3, 3, 4], [3, 3, 4], [6, 3, 4], [3, 6, 8], [6, 6, 8]]
    assert json.loads(Path("run/config.json").read_text())["image"]["size"] == [9, 14]
    page = Path("run/report.html").read_text()
    assert "60 × 3 × 9 × 14" in page and "cropped to this shape in their middle" in page
    for words in (["reconstruct"], ["interpolate"], ["traverse"], ["encode"]):
        assert main(["vae", *words, "run", *source, "--out", f"{words[0]}.npz"]) == 0
    assert main(["vae", "sample", "run", "--number", "3", "--temperature", "1", "--out", "drawn"]) == 0
    with Image.open("drawn/sample-00000.png") as drawn:
        assert drawn.size == (14, 9)
    for name, key in (("reconstruct", "reconstruction"), ("interpolate", "ways"), ("traverse", "images")):
        assert np.load(f"{name}.npz")[key].shape[-3:] == (9, 14, 3)
    assert main(["vae", "score", "run", *source[:2], "--per-image", "each.csv"]) == 0
    each = pl.read_csv("each.csv")
    assert each["bits_per_dim"].mean() == pytest.approx(scores["test"]["bits_per_dim"], rel=1e-6)
    assert each["nearest_train"].null_count() == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--image.size", "7"], "--image.size: height and width must lie in 8 to 512 pixels, got 7"),
        (["--image.size", "9", "600"], "--image.size: height and width must lie in 8 to 512 pixels, got (9, 600)"),
        (["--image.size", "9", "9", "9"], "--image.size"),
        (["--objective.beta", "-1"], "--objective.beta: Input should be greater than or equal to 0, got -1.0"),
        (["--objective.warmup", "0.5"], "--objective.warmup: Input should be less than or equal to 0.1, got 0.5"),
        (["--model.depth", "3"], "image.size must be at least 32 for model.depth 3, got 16 x 16"),
        (["--recipe", "orignal"], "--recipe orignal: no such recipe; there are default, plain, original"),
        (["--split.test-fraction", "1e-9"], "test"),
        (["--images", "nowhere"], "nowhere"),
        (["--device", "cuda"], "--device cuda"),
        (["--strict"], "broken.png"),
    ],
)
def test_a_broken_rule_is_one_line_and_leaves_no_folder(
    pictures: Path, tmp_path: Path, capsys: Output, words: list[str], said: str
) -> None:
    out = tmp_path / "run"
    assert said in refused(capsys, "vae", "run", "--images", str(pictures), "--out", str(out), *FLAGS, *words)
    assert not out.exists()


def test_a_training_that_diverges_says_what_to_lower_and_that_works(
    pictures: Path, tmp_path: Path, capsys: Output
) -> None:
    out = tmp_path / "run"
    words = ["vae", "run", "--images", str(pictures), "--out", str(out), *FLAGS]
    said = refused(capsys, *words, "--train.learning-rate", "1e8")
    assert "the training (beta 1, seed 0) diverged: " in said
    assert f"--train.learning-rate is 1e+08, give 0.002; --out {out} then takes --overwrite, too" in said
    assert not (out / "scores.json").exists() and not (out / "DONE").exists()
    assert "holds no finished run" in refused(capsys, "vae", "score", str(out))
    assert "another config (train.learning_rate 100000000.0 -> 0.002)" in refused(
        capsys, *words, "--train.learning-rate", "0.002"
    )
    assert main([*words, "--train.learning-rate", "0.002", "--overwrite"]) == 0
    assert json.loads((out / "scores.json").read_text())["test"]["bits_per_dim"] > 0


def test_a_run_of_a_sweep_that_diverges_is_left_out_and_named(pictures: Path, tmp_path: Path, capsys: Output) -> None:
    out = tmp_path / "sweep"
    words = ["vae", "sweep", "--images", str(pictures), "--out", str(out), *FLAGS, "--jobs", "1", "--betas"]
    assert main([*words, "1", "1e38"]) == 0
    said = capsys.readouterr()
    assert "beta 1e+38, seed 0 is left out, since its training diverged: its loss rose to " in said.out
    assert "the training (beta 1e+38, seed 0) diverged: its loss rose to " in said.err.replace("\n", " ")
    found = json.loads((out / "sweep.json").read_text())
    assert [run["beta"] for run in found["runs"]] == [1.0] and [run["beta"] for run in found["diverged"]] == [1e38]
    assert "beta 1e+38, seed 0 is left out" in (out / "report.html").read_text()
    broken = out / "runs" / "beta-1e+38-seed-0"
    assert not (broken / "DONE").exists() and not (broken / "scores.json").exists()
    shutil.rmtree(out)
    said = refused(capsys, *words, "1e38", "1.1e38")
    assert "the training (of each of the 2 runs; beta 1e+38, seed 0) diverged: its loss rose to " in said
    assert "--train.learning-rate is 0.002, give 0.0002; --out" in said
    assert not (out / "sweep.json").exists() and not (out / "DONE").exists()


def test_another_config_is_refused_by_name(pictures: Path, run: Path, capsys: Output) -> None:
    before = state(run)
    words = ["vae", "run", "--images", str(pictures), "--out", str(run), *FLAGS, "--objective.beta", "2"]
    assert "objective.beta 1.0 -> 2.0" in refused(capsys, *words)
    assert state(run) == before


def test_a_finished_run_goes_on_with_more_epochs(
    pictures: Path, run: Path, tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, cut = (shutil.copytree(run, tmp_path / name) for name in ("whole", "cut"))
    words = ["vae", "run", "--images", str(pictures), *FLAGS, "--train.epochs", "4", "--out"]
    assert main([*words, str(whole)]) == 0
    assert "goes on: train.epochs 2 -> 4" in re.sub(r"\s+", " ", capsys.readouterr().err)
    assert (whole / "DONE").exists()
    metrics = [json.loads(line) for line in (whole / "metrics.jsonl").read_text().splitlines()]
    before = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in metrics] == [1, 2, 3, 4]
    assert [line["train_loss"] for line in metrics[:2]] == [line["train_loss"] for line in before]
    scores = json.loads((whole / "scores.json").read_text())
    assert scores["training"]["epochs"] == 4
    assert scores["test"] != json.loads((run / "scores.json").read_text())["test"]
    assert (whole / "report.html").read_bytes() != (run / "report.html").read_bytes()

    # Ended after the training, before it was scored: not finished, and the same command goes on.
    with monkeypatch.context() as patch:
        patch.setattr("twofold.vae.run.save_vae", _interrupt)
        assert main([*words, str(cut)]) == 130
    assert not (cut / "DONE").exists()
    assert "holds no finished run" in refused(capsys, "vae", "sample", str(cut))
    assert main([*words, str(cut)]) == 0
    for name in ("config.json", "model.safetensors", "arrays.npz", "images.parquet"):
        assert (cut / name).read_bytes() == (whole / name).read_bytes(), name

    before = state(whole)
    capsys.readouterr()
    shorter = [*words[:-3], "--train.epochs", "3", "--out", str(whole)]
    assert "train.epochs 4 -> 3" in (said := refused(capsys, *shorter))
    assert "only train.epochs may be raised" in said
    assert state(whole) == before


def test_json_is_all_that_is_printed(run: Path, pictures: Path, capsys: Output) -> None:
    scores = json.loads((run / "scores.json").read_text())
    assert main(["vae", "run", "--images", str(pictures), "--out", str(run), *FLAGS, "--json"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out) == {"folder": str(run), "report": str(run / "report.html"), "scores": scores}
    assert "were skipped" in shown.err
    assert main(["vae", "score", str(run), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == scores


def test_score_prints_what_the_run_scored(run: Path, capsys: Output) -> None:
    assert main(["vae", "score", str(run), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads((run / "scores.json").read_text())
    assert main(["vae", "score", str(run)]) == 0
    assert "negative ELBO" in capsys.readouterr().out


def test_score_on_other_images_leaves_out_those_that_were_trained_on(
    run: Path, pictures: Path, tmp_path: Path, capsys: Output
) -> None:
    other = folder_of(discs(60), tmp_path / "other")
    folder_of(discs(9, seed=5), other, first=60)
    assert main(["vae", "score", str(run), "--images", str(other), "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    own = json.loads((run / "scores.json").read_text())["data"]
    assert (found["images"], found["seen"]) == (own["test"] + 9, own["train"] + own["validation"])
    assert found["test"]["images"] == found["differences"]["png"]["images"] == own["test"] + 9
    assert main(["vae", "score", str(run), "--images", str(other)]) == 0
    shown = capsys.readouterr().out
    assert "lossless WebP" in shown and "probabilistic PCA" not in shown


def test_samples_are_scored_by_a_network_of_ones_own(run: Path, pictures: Path, tmp_path: Path, capsys: Output) -> None:
    own = json.loads((run / "scores.json").read_text())["samples"]
    assert own["features"] == "random convolutions"
    network = tmp_path / "pooled.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.trace(torch.nn.Flatten(), torch.rand(2, 3, 16, 16)), str(network))
    words = ["vae", "score", str(run), "--images", str(pictures), "--features", str(network)]
    assert main([*words, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)["samples"]
    assert (found["features"], found["images"]) == ("pooled.pt", own["images"])
    for heat, block in own["temperatures"].items():
        assert found["temperatures"][heat]["swd_pixels"] == pytest.approx(block["swd_pixels"], rel=1e-5)
    assert main(words) == 0
    assert "features: pooled.pt" in re.sub(r"\s+", " ", capsys.readouterr().out)
    assert "give --images" in refused(capsys, "vae", "score", str(run), "--features", str(network))
    assert "can't be opened as a TorchScript file" in refused(capsys, *words[:-1], str(run / "scores.json"))


def test_score_of_images_that_were_all_trained_on_is_refused(run: Path, tmp_path: Path, capsys: Output) -> None:
    known = pl.read_parquet(run / "images.parquet").filter(pl.col("split") == "train")["name"]
    rows = [int(name[-8:-4]) for name in known]
    other = folder_of(discs(60)[rows], tmp_path / "known")
    assert "were trained or validated on" in refused(capsys, "vae", "score", str(run), "--images", str(other))


def test_a_sweep_holds_whole_runs_that_differ_in_beta_and_seed_alone(
    pictures: Path, tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit_linear, fitted = account.fit_linear, []
    monkeypatch.setattr(account, "fit_linear", lambda *given: fitted.append(fit_linear(*given)) or fitted[-1])
    codec_bits, encoded = account.codec_bits, []
    monkeypatch.setattr(account, "codec_bits", lambda *given: encoded.append(codec_bits(*given)) or encoded[-1])
    out = tmp_path / "sweep"
    words = ["vae", "sweep", "--images", str(pictures), "--out", str(out), *FLAGS, "--jobs", "1"]
    words += ["--betas", "0", "1", "100", "--seeds", "3", "4"]
    assert main(words) == 0
    shown = capsys.readouterr().out
    assert str(out / "report.html") in shown
    assert all(
        f"{run['scores']['test']['rate_nats']:,.2f}" in shown
        for run in json.loads((out / "sweep.json").read_text())["runs"]
    )
    folders = sorted(path.name for path in (out / "runs").iterdir())
    assert folders == [f"beta-{beta}-seed-{seed}" for beta in (0, 1, 100) for seed in (3, 4)]
    configs = {name: json.loads((out / "runs" / name / "config.json").read_text()) for name in folders}
    for name, config in configs.items():
        assert f"beta-{config['objective']['beta']:g}-seed-{config['seed']}" == name
        assert (out / "runs" / name / "DONE").exists()
        assert (out / "runs" / name / "report.html").exists()
        config["objective"]["beta"] = config["seed"] = None
    assert all(config == configs[folders[0]] for config in configs.values())
    sweep = json.loads((out / "sweep.json").read_text())
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["scores"] == sweep
    assert [(run["beta"], run["seed"]) for run in sweep["runs"]] == [
        *((beta, 3) for beta in (0.0, 1.0, 100.0)),
        *((beta, 4) for beta in (0.0, 1.0, 100.0)),
    ]
    assert all(run["scores"]["test"]["negative_elbo_nats"] for run in sweep["runs"])
    assert len(fitted) == 2, "no beta changes the linear baseline: one fit a seed"
    assert len({json.dumps(run["scores"]["linear"]) for run in sweep["runs"]}) == 2
    assert len(encoded) == 2, "nor the codecs"
    before = state(out)
    assert main(words) == 0
    assert state(out) == before


def test_an_interrupted_sweep_keeps_what_it_has_done(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "sweep"
    words = ["vae", "sweep", "--images", str(pictures), "--out", str(out), *FLAGS, "--jobs", "1", "--betas", "1", "2"]
    execute, done = sweep.execute, []

    def once(*given: Any, **named: Any) -> None:
        if done:
            raise KeyboardInterrupt
        done.append(execute(*given, **named))

    monkeypatch.setattr(sweep, "execute", once)
    assert main(words) == 130
    first = state(out / "runs" / "beta-1-seed-0")
    monkeypatch.setattr(sweep, "execute", execute)
    assert main(words) == 0
    after = state(out / "runs" / "beta-1-seed-0")
    assert {name: after[name] for name in first} == first


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--betas", "1", "1"], "betas must differ"),
        (["--betas", "-1"], "greater than or equal to 0"),
        (["--betas", "nan"], "finite"),
        (["--seeds", "1", "1"], "seeds must differ"),
    ],
)
def test_a_grid_that_is_none_is_refused(
    pictures: Path, tmp_path: Path, capsys: Output, words: list[str], said: str
) -> None:
    out = tmp_path / "sweep"
    assert said in refused(capsys, "vae", "sweep", "--images", str(pictures), "--out", str(out), *FLAGS, *words)
    assert not out.exists()


def test_pictures_are_png_and_arrays_npz(run: Path, pictures: Path, tmp_path: Path, capsys: Output) -> None:
    source = ["--images", str(pictures)]
    names = ["picture-0002.png", "picture-0005.png"]
    for command, words, keys in (
        ("reconstruct", [*source, "--number", "5"], {"names", "real", "reconstruction"}),
        ("sample", ["--number", "7", "--seed", "2"], {"samples"}),
        ("interpolate", [*source, "--between", *names, "--path", "spherical"], {"start", "end", "ways"}),
        ("traverse", [*source, "--name", names[0], "--units", "0", "2"], {"units", "values", "images"}),
    ):
        picture, arrays = tmp_path / f"{command}.png", tmp_path / f"{command}.npz"
        for out in (picture, arrays):
            assert main(["vae", command, str(run), *words, "--out", str(out)]) == 0
            assert capsys.readouterr().out == f"{out}\n"
        with Image.open(picture) as opened:
            assert opened.format == "PNG"
        with np.load(arrays) as found:
            assert set(found) == keys
    with np.load(tmp_path / "reconstruct.npz") as found:
        assert found["names"].tolist() == [f"picture-{index:04d}.png" for index in range(5)]
        np.testing.assert_array_equal(found["real"], discs(60)[:5])
    with np.load(tmp_path / "interpolate.npz") as found:
        np.testing.assert_array_equal(found["start"], discs(60)[[2]])
        np.testing.assert_array_equal(found["end"], discs(60)[[5]])
        assert found["ways"].shape == (1, 11, 16, 16, 3)
    with np.load(tmp_path / "sample.npz") as found:
        assert found["samples"].shape == (7, 16, 16, 3)


def test_codes_agree_with_the_model_in_python(run: Path, pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "codes.npz"
    assert main(["vae", "encode", str(run), "--images", str(pictures), "--out", str(out)]) == 0
    with np.load(out) as found:
        np.testing.assert_array_equal(found["mu"], load(run).encode(discs(60)))
        assert found["logvar"].shape == found["mu"].shape == (60, 3)
        assert len(found["names"]) == 60


def test_a_table_of_codes_holds_them_too(run: Path, pictures: Path, tmp_path: Path, capsys: Output) -> None:
    mu, logvar = load(run).posterior(discs(60))
    for out, read in ((tmp_path / "z.csv", pl.read_csv), (tmp_path / "z.parquet", pl.read_parquet)):
        assert main(["vae", "encode", str(run), "--images", str(pictures), "--out", str(out)]) == 0
        assert capsys.readouterr().out == f"{out}\n"
        found = read(out)
        assert found.columns == ["name", *(f"{name}_{unit}" for name in ("mu", "logvar") for unit in range(3))]
        assert found["name"].to_list() == [f"picture-{index:04d}.png" for index in range(60)]
        np.testing.assert_allclose(found[:, 1:].to_numpy(), np.hstack([mu, logvar]), rtol=1e-6)


def test_samples_as_a_folder_of_pictures(run: Path, tmp_path: Path, capsys: Output) -> None:
    out = tmp_path / "new" / "samples"
    words = ["vae", "sample", str(run), "--number", "12", "--seed", "4", "--temperature", "0.5", "--out", str(out)]
    assert main(words) == 0
    assert capsys.readouterr().out == f"{out}\n"
    assert [path.name for path in out.parent.iterdir()] == ["samples"]
    assert sorted(path.name for path in out.iterdir()) == [
        *(f"sample-{index:05d}.png" for index in range(12)),
        "samples.json",
    ]
    with Image.open(out / "sample-00007.png") as opened:
        np.testing.assert_array_equal(np.asarray(opened), to_pixels(load(run).sample(12, 4, 0.5))[7])
    about = json.loads((out / "samples.json").read_text())
    assert (about["number"], about["seed"], about["temperature"]) == (12, 4, 0.5)
    assert about["model"] == hashlib.sha256((run / "model.safetensors").read_bytes()).hexdigest()
    before = state(out)
    assert "holds files already; nothing was touched, give a new or an empty folder" in refused(capsys, *words)
    assert state(out) == before
    (tmp_path / "empty").mkdir()
    assert main([*words[:-1], str(tmp_path / "empty")]) == 0
    assert len(list((tmp_path / "empty").iterdir())) == 13


def test_a_row_for_each_scored_image(run: Path, pictures: Path, tmp_path: Path, capsys: Output) -> None:
    both = shutil.copytree(pictures, tmp_path / "both")
    folder_of(discs(2, seed=5), both, first=60)
    shutil.copy(both / "picture-0060.png", both / "picture-0062.png")
    known = pl.read_parquet(run / "images.parquet")
    part = dict(known.select("name", "split").iter_rows())
    train = [int(name[8:12]) for name in known.filter(pl.col("split") == "train")["name"]]
    scores = []
    for out, read in ((tmp_path / "each.csv", pl.read_csv), (tmp_path / "each.parquet", pl.read_parquet)):
        words = ["vae", "score", str(run), "--images", str(both), "--per-image", str(out), "--format", "json"]
        assert main(words) == 0
        shown = capsys.readouterr()
        scores.append(json.loads(shown.out)["test"])
        frame = read(out)
        assert "left empty" not in shown.err
        wanted = [name for name in sorted(part) if part[name] == "test"] + [f"picture-006{k}.png" for k in range(3)]
        assert frame["name"].to_list() == wanted
        assert frame["part"].to_list() == ["test"] * (len(wanted) - 3) + [None] * 3
        for key in ("rate_nats", "distortion_nats", "negative_elbo_nats", "bits_per_dim", "mse"):
            assert frame[key].mean() == pytest.approx(scores[-1][key]), key
        pixels = np.concatenate([discs(60), discs(2, seed=5), discs(2, seed=5)[:1]]) / 255
        for name, nearest, distance in frame.select("name", "nearest_train", "nearest_distance").iter_rows():
            away = np.sqrt(((pixels[train] - pixels[int(name[8:12])]) ** 2).mean(axis=(1, 2, 3)))
            assert nearest == f"picture-{train[away.argmin()]:04d}.png"
            assert distance == pytest.approx(away.min())


def test_scores_of_each_image_of_the_run_are_those_it_scored(
    run: Path, pictures: Path, tmp_path: Path, capsys: Output
) -> None:
    out = tmp_path / "each.csv"
    assert main(["vae", "score", str(run), "--images", str(pictures), "--per-image", str(out)]) == 0
    test = json.loads((run / "scores.json").read_text())["test"]
    frame = pl.read_csv(out)
    for key in ("rate_nats", "distortion_nats", "negative_elbo_nats", "bits_per_dim", "mse"):
        assert frame[key].mean() == pytest.approx(test[key], rel=1e-12), key
    found = load(run).score([np.asarray(Image.open(pictures / name)) for name in frame["name"]])
    np.testing.assert_allclose(found.negative_elbo, frame["negative_elbo_nats"].to_numpy(), rtol=1e-12)


def test_without_all_the_training_images_none_is_the_nearest(run: Path, tmp_path: Path, capsys: Output) -> None:
    other, out = folder_of(discs(3, seed=5), tmp_path / "other"), tmp_path / "each.csv"
    assert main(["vae", "score", str(run), "--images", str(other), "--per-image", str(out)]) == 0
    said = re.sub(r"\s+", " ", capsys.readouterr().err)
    assert re.search(r"nearest training images are left empty: other holds 0 of the \d+ images that the run was", said)
    frame = pl.read_csv(out)
    assert frame["nearest_train"].null_count() == frame["nearest_distance"].null_count() == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["reconstruct"], "was trained on images of your own, which it does not hold; give --images"),
        (["sample", "--number", "0"], "--number must be at least 1, got 0"),
        (["sample", "--temperature", "1.5"], "--temperature must lie in 0 to 1, got 1.5"),
        (["sample", "--temperature", "nan"], "--temperature must lie in 0 to 1, got nan"),
        (["sample", "--out", "x.jpg"], "must end with .png (a picture), .npz (arrays) or have no suffix (a folder"),
        (["sample", "--out", "/dev/null/folder"], "can't be written, since /dev/null is no folder"),
        (["sample", "--out", "/dev/null"], "--out /dev/null: is a file"),
        (["reconstruct", "--out", "folder"], "must end with .png (a picture) or .npz (arrays)"),
        (["reconstruct", "--number", "-1"], "--number must be at least 0, got -1"),
        (["encode", "--out", "x.png"], "must end with .npz (arrays), .csv (text) or .parquet (Parquet)"),
        (["encode", "--images", "nowhere", "--out", "z.csv"], "nowhere: no such file or folder"),
        (["score", "--per-image", "x.txt"], "--per-image x.txt: must end with .csv (text) or .parquet (Parquet)"),
        (["score", "--per-image", "/dev/null/x.csv"], "--per-image /dev/null/x.csv: can't be written"),
        (["score", "--per-image", "x.csv"], "was trained on images of your own, which it does not hold; give --images"),
        (["interpolate", "--between", "a"], "--between takes names in pairs, got 1"),
        (["interpolate", "--images", "IMAGES", "--between", "a", "b"], "no image is named a; names look like picture"),
        (["traverse", "--images", "IMAGES", "--units", "3"], "--units must lie in 0 to 2 for this model, got 3"),
        (["sample", "--out", "/dev/null/x.png"], "can't be written"),
    ],
)
def test_what_can_not_be_done_is_said(run: Path, pictures: Path, capsys: Output, words: list[str], said: str) -> None:
    command, *others = [str(pictures) if word == "IMAGES" else word for word in words]
    assert said in refused(capsys, "vae", command, str(run), *others)


def test_help_errors_and_saved_scores_import_nothing_slow(run: Path) -> None:
    commands = ("run --help", "sweep --help", "sample --help", "run --images nowhere", "run --recipe x")
    commands += ("encode nowhere", f"score {run}")
    code = f"""
import contextlib, sys
from twofold.cli import main
for words in {commands}:
    with contextlib.suppress(SystemExit):
        main(["vae", *words.split()])
print(*sys.modules)"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert "no such file or folder" in ended.stderr
    loaded = set(ended.stdout.splitlines()[-1].split())
    assert "twofold.vae.commands" in loaded
    assert not loaded & {"torch", "sklearn", "matplotlib", "scipy"}


def test_a_png_to_a_code_and_back_in_three_lines(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert vae.__doc__
    lines = re.findall(r"^    (.*)$", vae.__doc__, re.MULTILINE)
    assert len(lines) == 3
    code = "\n".join(["from PIL import Image", "from twofold.vae import load, to_images", *lines])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "vae").mkdir(parents=True)
    (tmp_path / "runs" / "vae" / "RUN").symlink_to(run)
    Image.fromarray(discs(1, size=50)[0]).save("face.png")
    exec(code, found := {})
    assert found["z"].shape == (1, 3)
    with Image.open("back.png") as back:
        np.testing.assert_array_equal(np.asarray(back), to_pixels(load(run).decode(found["z"]))[0])


@pytest.mark.parametrize("out", ["x.npz", "folder", "x.png"])
def test_what_has_no_text_does_not_wait_for_matplotlib(run: Path, pictures: Path, tmp_path: Path, out: str) -> None:
    code = f"""
import sys
from twofold.cli import main
main(["vae", "sample", {str(run)!r}, "--out", {str(tmp_path / out)!r}])
if {out!r} != "folder":
    main(["vae", "reconstruct", {str(run)!r}, "--images", {str(pictures)!r}, "--out", {str(tmp_path / out)!r}])
if {out!r} == "x.npz":
    for command in ("interpolate", "traverse", "encode"):
        main(["vae", command, {str(run)!r}, "--images", {str(pictures)!r}, "--out", {str(tmp_path / out)!r}])
print(*sys.modules)"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    loaded = set(ended.stdout.splitlines()[-1].split())
    assert "torch" in loaded, ended.stderr
    assert not loaded & {"matplotlib", "sklearn"}


def test_scores_of_another_study_or_of_a_sweep_are_refused(run: Path, tmp_path: Path, capsys: Output) -> None:
    (tmp_path / "DONE").touch()
    assert "config.json is missing" in refused(capsys, "vae", "score", str(tmp_path))
    shutil.copy(run / "scores.json", tmp_path)
    sweep = SweepConfig(base=VaeConfig(), betas=(1.0,), seeds=(0,)).to_json()
    for config in (TrendConfig().to_json(), sweep, "half of it"):
        (tmp_path / "config.json").write_text(config)
        assert "config.json is not that of a vae run" in refused(capsys, "vae", "score", str(tmp_path))


@pytest.mark.parametrize("command", ["score", "reconstruct", "sample", "interpolate", "traverse", "encode"])
def test_a_folder_that_holds_no_run_is_refused(tmp_path: Path, capsys: Output, command: str) -> None:
    assert "holds no finished run" in refused(capsys, "vae", command, str(tmp_path))


COUNTS = discs(60)[..., 0].astype(np.uint16) * 14


@pytest.fixture(scope="module")
def deep_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on counts of 12 bits, in the own parts of an archive."""
    folder = tmp_path_factory.mktemp("deep")
    images = {"train_images": COUNTS[:50], "test_images": COUNTS[48:]}
    np.savez(folder / "set.npz", **images, train_labels=np.arange(50)[:, None] % 2)
    words = [
        "--images",
        str(folder / "set.npz"),
        "--out",
        str(folder / "run"),
        "--split.own",
        "--image.channels",
        "auto",
    ]
    assert main(["vae", "run", *words, *FLAGS]) == 0
    return folder / "run"


def test_scale_channels_and_parts_are_saved_with_the_run(deep_run: Path, capsys: Output) -> None:
    config = json.loads((deep_run / "config.json").read_text())
    assert config["image"]["range"] == [0, 4095]
    assert config["image"]["channels"] == 1
    assert config["split"]["own"] is True
    data = json.loads((deep_run / "scores.json").read_text())["data"]
    assert (data["test"], data["test_copies"], data["range"]) == (12, 2, [0, 4095])
    table = pl.read_parquet(deep_run / "images.parquet")
    assert set(table.filter(pl.col("split") == "test")["name"]) == {f"test/{i:02d}" for i in range(12)}
    page = (deep_run / "report.html").read_text()
    assert "0 is black, 4095 white" in page
    assert "The set's own parts" in page or "The set&#39;s own parts" in page
    assert "A hash of an image" not in page
    words = [
        "--images",
        str(deep_run.parent / "set.npz"),
        "--out",
        str(deep_run),
        "--split.own",
        "--image.channels",
        "auto",
    ]
    assert main(["vae", "run", *words, *FLAGS]) == 0
    err = re.sub(r"\s+", " ", capsys.readouterr().err)
    assert "holds this very run, finished" in err
    assert "2 of the 12 test images are among the others, pixel for pixel" in err
    assert "12 test images prove nothing" in err
    assert "0 is black and 4095 white; --image.range 0 4095" in err


def test_the_scale_of_the_run_is_that_of_other_images(deep_run: Path, tmp_path: Path, capsys: Output) -> None:
    folder = tmp_path / "darker"
    folder.mkdir()
    values = COUNTS[:3] // 20
    values[0, 0, 0] = 5000
    for i, image in enumerate(values):
        Image.fromarray(image).save(folder / f"{i}.tif")
    out = tmp_path / "back.npz"
    assert main(["vae", "reconstruct", str(deep_run), "--images", str(folder), "--out", str(out)]) == 0
    err = re.sub(r"\s+", " ", capsys.readouterr().err)
    assert "1 values in 1 images lie outside the scale of 0 to 4095 and were clipped" in err
    assert "levels only" in err
    real = np.load(out)["real"][..., 0]
    np.testing.assert_array_equal(real, np.rint(values.clip(0, 4095) / 4095 * 255))
    scaled = ["--image.range", "0", "250", "--out", str(out)]
    assert main(["vae", "reconstruct", str(deep_run), "--images", str(folder), *scaled]) == 0
    assert np.load(out)["real"].mean() > 4 * real.mean()


def test_own_parts_are_found_again_when_the_run_is_scored(deep_run: Path, capsys: Output) -> None:
    archive = str(deep_run.parent / "set.npz")
    assert main(["vae", "score", str(deep_run), "--images", archive, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["images"], found["seen"]) == (10, 52)  # two test images are training images, too
    with_key = ["--image.key", "test_images", "--format", "json"]
    assert main(["vae", "score", str(deep_run), "--images", archive, *with_key]) == 0
    assert json.loads(capsys.readouterr().out)["images"] == 10


@pytest.mark.parametrize("command", ["score", "encode", "reconstruct", "traverse"])
def test_one_image_file_is_enough(run: Path, pictures: Path, tmp_path: Path, command: str, capsys: Output) -> None:
    path = tmp_path / "new.png"
    Image.fromarray(discs(1, seed=9)[0]).save(path)
    out = [] if command == "score" else ["--out", str(tmp_path / "out.npz")]
    assert main(["vae", command, str(run), "--images", str(path), *out]) == 0
    if command == "encode":
        assert np.load(tmp_path / "out.npz")["names"].tolist() == ["new.png"]


def test_pages_of_other_images_are_read_by_the_option_of_the_command(run: Path, tmp_path: Path, capsys: Output) -> None:
    path = tmp_path / "stack.tif"
    first, *others = map(Image.fromarray, discs(5, seed=9))
    first.save(path, save_all=True, append_images=others)
    words = ["vae", "encode", str(run), "--images", str(path), "--out", str(tmp_path / "out.npz")]
    assert main(words) == 0
    assert "4 more pages not read (stack.tif: 4); --image.pages" in re.sub(r"\s+", " ", capsys.readouterr().err)
    assert main([*words, "--image.pages"]) == 0
    assert np.load(tmp_path / "out.npz")["names"].tolist() == [f"stack.tif#{page}" for page in range(1, 6)]


def test_an_archive_of_other_images_is_read_by_the_advice(run: Path, tmp_path: Path, capsys: Output) -> None:
    np.savez(tmp_path / "a.npz", left=discs(5, seed=9), right=discs(6, seed=8))
    words = ["vae", "encode", str(run), "--images", str(tmp_path / "a.npz"), "--out", str(tmp_path / "out.npz")]
    assert "name one with --image.key left" in refused(capsys, *words)
    assert main([*words, "--image.key", "right"]) == 0
    assert len(np.load(tmp_path / "out.npz")["names"]) == 6


def test_avatars_have_no_scale_pages_or_parts(capsys: Output) -> None:
    for option in (["--image.range", "0", "1"], ["--image.pages"], ["--image.key", "x"], ["--split.own"]):
        message = refused(capsys, "vae", "run", *option)
        assert f"{option[0]}: the avatars are drawn and have none; give --images" in message


def test_settings_that_are_left_alone_leave_configs_as_they_were() -> None:
    image = json.loads(VaeConfig().to_json())["image"]
    assert image == {"size": 64, "channels": 3, "fit": "crop", "avatars": 2000, "avatar_seed": 0}
    assert "own" not in json.loads(VaeConfig().to_json())["split"]
