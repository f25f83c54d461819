"""`vae look`: what it tells, and that the command that it ends with reads what it promised."""

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from twofold.cli import main
from vae.small import discs, folder_of

Output = pytest.CaptureFixture[str]
QUICK = ["--model.latent-dim", "2", "--likelihood.width", "4", "--train.epochs", "1", "--score.sample-images", "0"]


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A cache of this module's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TWOFOLD_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def looked(capsys: Output, path: Path, *options: str) -> dict[str, Any]:
    assert main(["vae", "look", str(path), "--json", "--out", str(path.parent / "look.png"), *options]) == 0
    return json.loads(capsys.readouterr().out)


def test_it_tells_what_a_folder_holds(tmp_path: Path, capsys: Output) -> None:
    folder = folder_of(discs(40), tmp_path / "set" / "round")
    folder_of(discs(24, seed=1), tmp_path / "set" / "other")
    (folder / "broken.png").write_bytes(b"no image")
    assert main(["vae", "look", str(tmp_path / "set"), "--image.size", "16", "--out", str(tmp_path / "a.png")]) == 0
    out = capsys.readouterr().out
    for line in (
        "  read      64 images",
        "  skipped   1 files: 1 not an image",
        "  formats   64 PNG 8-bit RGB",
        "  sizes     64 of 16 x 16 (height x width)",
        "  scale     as stored",
        "  labels    class folders: folder, 2 classes: round (40), other (24)",
        f"next: twofold vae run --images {tmp_path / 'set'} --image.size 16",
    ):
        assert line in out.splitlines()
    with Image.open(tmp_path / "a.png") as sheet:
        assert sheet.size == (8 * 64 + 7 * 2, 8 * 64 + 7 * 2)


def test_the_sheet_shows_what_the_model_would_see(tmp_path: Path, capsys: Output) -> None:
    values = np.random.default_rng(1).integers(0, 3000, (3, 64, 64)).astype(np.uint16)
    np.save(tmp_path / "set.npy", values)
    found = looked(capsys, tmp_path / "set.npy")
    assert found["range"] == [0, 4095]
    with Image.open(tmp_path / "look.png") as sheet:
        np.testing.assert_array_equal(np.asarray(sheet)[:64, :64, 1], np.rint(values[0] / 4095 * 255))


def sets(folder: Path) -> dict[str, Path]:
    """Sets that are read otherwise than meant without options."""
    rng = np.random.default_rng(2)
    grey = discs(60, 16)[..., 0]
    paths = {name: folder / name for name in ("small", "labels", "wide")}
    folder_of(grey, paths["small"])
    folder_of(grey // 60, paths["labels"])
    folder_of(np.concatenate([discs(60, 32)] * 3, axis=2), paths["wide"])
    first, *others = map(Image.fromarray, rng.integers(0, 256, (60, 32, 32)).astype(np.uint8))
    paths["stack.tif"] = folder / "stack.tif"
    first.save(paths["stack.tif"], save_all=True, append_images=others)
    paths["set.npz"] = folder / "set.npz"
    np.savez(paths["set.npz"], x_train=grey.astype(np.uint16) * 3, y_train=np.arange(60) % 3, x_test=grey[:9])
    return paths


def test_the_command_that_it_ends_with_leaves_nothing_to_propose(tmp_path: Path, capsys: Output) -> None:
    proposed = {}
    for name, path in sets(tmp_path).items():
        found = looked(capsys, path)
        command = found["command"]
        assert command[:5] == ["twofold", "vae", "run", "--images", str(path)]
        proposed[name] = command[5:]
        again = looked(capsys, path, *command[5:])
        assert again["command"] == command
    assert proposed["small"] == ["--image.size", "16", "--image.channels", "1"]
    assert "--image.range" in proposed["labels"]
    assert proposed["wide"] == ["--image.size", "32", "96"]
    assert "--image.pages" in proposed["stack.tif"]


def test_the_command_that_it_ends_with_runs(tmp_path: Path, capsys: Output) -> None:
    path = sets(tmp_path)["set.npz"]
    found = looked(capsys, path, "--split.own")
    assert (found["split"]["test"], found["split"]["train"] + found["split"]["validation"]) == (9, 60)
    assert any("test images prove nothing" in remark for remark in found["remarks"])
    run = tmp_path / "run"
    assert main([*found["command"][1:], "--out", str(run), *QUICK]) == 0
    capsys.readouterr()
    data = json.loads((run / "scores.json").read_text())["data"]
    assert data["test"] == 9
    assert data["own"] is True
    assert json.loads((run / "scores.json").read_text())["factors"]["origin"] == "archive"
    assert json.loads((run / "config.json").read_text())["image"]["range"] == data["range"]


def test_options_are_passed_on(tmp_path: Path, capsys: Output) -> None:
    folder = folder_of(discs(30), tmp_path / "a set")
    (tmp_path / "known.csv").write_text("name,round\npicture-0001.png,yes\n")
    options = ["--image.channels", "auto", "--image.size", "16", "--fit", "stretch", "--split.test-fraction", "0.25"]
    more = ["--labels", str(tmp_path / "known.csv"), "--strict"]
    found = looked(capsys, folder, *options, *more)
    assert set(options + more) <= set(found["command"])
    main(["vae", "look", str(folder), *options, *more, "--out", str(tmp_path / "look.png")])
    last = capsys.readouterr().out.splitlines()[-1]
    assert shlex.split(last.removeprefix("next: ")) == found["command"]


def test_too_few_images_are_told_not_refused(tmp_path: Path, capsys: Output) -> None:
    path = tmp_path / "one.png"
    Image.fromarray(discs(1, 64)[0]).save(path)
    found = looked(capsys, path)
    assert (found["images"], found["split"]) == (1, {})
    assert "part of the split is empty: there are 1 images" in found["split_refused"]


def test_refusals(tmp_path: Path, capsys: Output) -> None:
    folder = folder_of(discs(3), tmp_path / "set")
    for words, message in (
        ((str(tmp_path / "nowhere"),), "no such file or folder"),
        ((str(folder), "--out", str(tmp_path / "a.txt")), "must end with .png"),
        ((str(folder), "--image.size", "7"), "--image.size"),
        (
            (str(folder), "--image.range", "5", "5"),
            "--image.range: Value error, must be two numbers, the lower first",
        ),
        ((str(folder), "--image.key", "x"), "--image.key x names an array of an .npz"),
    ):
        try:
            status = main(["vae", "look", *words])
        except SystemExit as ended:
            status = ended.code
        shown = capsys.readouterr()
        assert (status, shown.out) == (2, "")
        assert message in shown.err


def test_it_needs_no_torch(tmp_path: Path) -> None:
    import subprocess

    folder = folder_of(discs(3, 64), tmp_path / "set")
    code = (
        "import sys; from twofold.cli import main; "
        f"main(['vae', 'look', {str(folder)!r}, '--out', {str(tmp_path / 'a.png')!r}]); "
        "sys.exit(int('torch' in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0
