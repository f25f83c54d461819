import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from page.reading import Page, check_whole
from twofold.engine.errors import RunFolderError
from twofold.vae.report.plane import weights
from twofold.vae.report.sweep import smaller, write_sweep
from vae.report.sweep_showing import sweep_folder

SECTIONS = [
    "verdict", "table", "learning", "reconstructions", "samples", "interpolations", "plane", "inequality", "claims",
    "images", "repeat",
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = sweep_folder(tmp_path_factory.mktemp("sweeps") / "several", betas=(0, 0.5, 1, 2), seeds=(0, 1))
    write_sweep(made)
    return made


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = sweep_folder(
        tmp_path_factory.mktemp("sweeps") / "original",
        betas=(1, 0, 100),
        seeds=(7,),
        likelihood="bernoulli",
        channels=1,
        embedded=False,
        departures="The original <layers> can't run as printed.",
    )
    write_sweep(made)
    return made


def _page(folder: Path) -> Page:
    return check_whole((folder / "report.html").read_text(encoding="utf-8"))


def _summary(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "sweep.json").read_text())


def _row(page: Page, name: str, cells: int, after: str | None = None) -> list[str]:
    at = page.cells.index(name, page.cells.index(after) if after else 0)
    return page.cells[at : at + cells]


def test_the_page_is_whole(folder: Path, original: Path) -> None:
    for made in (folder, original):
        page = _page(made)
        assert [named["id"] for tag, named in page.tags if tag == "section"] == SECTIONS
        assert not [word for word in ("None", "nan", "null") if word in page.text.replace("nano", "")]


def test_every_picture_lies_beside_the_page(folder: Path) -> None:
    drawn = {path.stem for path in (folder / "figures").glob("*.svg")}
    assert {
        "plane",
        "plane-height",
        "sandwich",
        "effect-distortion",
        "courses-elbo-training",
        "courses-beta-0_5",
    } <= drawn
    pictures = {path.stem for path in (folder / "figures").glob("*.png")} - drawn
    assert {"reconstructions", "pairs-beta-0", "prior-beta-0_5", "way-1-linear", "way-2-spherical"} <= pictures
    tags = [tag for tag, named in _page(folder).tags if tag == "img" or (tag == "svg" and named.get("role") == "img")]
    assert len(tags) == len(drawn) + len(pictures)


def test_the_same_files_give_the_same_bytes_wherever_they_lie(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "sweep.json", tmp_path / "sweep.json")
    shutil.copytree(folder / "runs", tmp_path / "runs")
    write_sweep(tmp_path)
    for path in [folder / "report.html", *(folder / "figures").iterdir()]:
        assert path.read_bytes() == (tmp_path / path.relative_to(folder)).read_bytes(), path.name


def test_pictures_are_those_of_the_first_seed(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "sweep.json", tmp_path / "sweep.json")
    shutil.copytree(folder / "runs", tmp_path / "runs", ignore=shutil.ignore_patterns("*-seed-1"))
    write_sweep(tmp_path)
    assert (tmp_path / "report.html").read_bytes() == (folder / "report.html").read_bytes()


def test_seeds_give_a_spread_and_the_best_is_marked(folder: Path) -> None:
    grid = weights(_summary(folder)["runs"])
    cells = _row(_page(folder), "beta 1", 11)
    mean, deviation = grid[2].mean("rate_nats"), float(np.std(grid[2].each("rate_nats"), ddof=1))
    value, spread = (part.replace(",", "") for part in cells[1].split("± "))
    assert float(value) == pytest.approx(mean, abs=deviation) and float(spread) == pytest.approx(deviation, rel=0.05)
    assert cells[3].startswith("★") and cells[5].startswith("★")
    assert not any(cell.startswith("★") for cell in cells[1:3])
    assert cells[6].startswith("≥")
    assert not _row(_page(folder), "beta 2", 11)[3].startswith("★")


def test_every_weight_is_scored_on_the_same_elbo(original: Path) -> None:
    page = _page(original)
    cells = _row(page, "beta 100", 11)
    scores = {run["beta"]: run["scores"] for run in _summary(original)["runs"]}[100.0]["test"]
    assert cells[3].replace(",", "") == f"{scores['rate_nats'] + scores['distortion_nats']:.0f}"


def test_what_a_bernoulli_run_has_not_is_a_dash(original: Path) -> None:
    cells = _row(_page(original), "beta 0", 11)
    assert [cells[index] for index in (4, 9, 10)] == ["–"] * 3
    text = _page(original).text
    assert "is no density of grey values" in text and "no meaning as an entropy" in text
    assert "ceiling" not in text


def test_a_density_has_a_ceiling_on_the_entropy(folder: Path) -> None:
    page, grid = _page(folder), weights(_summary(folder)["runs"])
    cells = _row(page, "beta 2", 6, after="H − D, at most")
    ceiling = min(weight.bound for weight in grid) - grid[3].mean("distortion_nats")
    assert float(cells[1].replace("−", "-")) == pytest.approx(ceiling, rel=0.001)
    assert cells[2].startswith("≥ ") and cells[5] == "holds"


def test_collapse_and_beta_0_are_explained_beside_the_samples(original: Path, folder: Path) -> None:
    text = _page(original).text
    assert "Beta 100: the code has collapsed" in text and "Beta 0: nothing in the loss ties" in text
    assert "has collapsed at beta 100" in text
    assert "collapsed, so whatever" not in _page(folder).text


def test_the_slopes_stand_beside_what_is_expected(folder: Path) -> None:
    cells = _row(_page(folder), "beta 0.5 and 1", 4)
    assert cells[2] == "−1 to −0.5" and cells[3] in {"yes; 2 of 2 seeds", "no; 0 of 2 seeds", "yes; 1 of 2 seeds"}
    assert _row(_page(folder), "beta 0 and 0.5", 4)[2] == "−0.5 to 0"


def test_a_broken_inequality_is_called_broken(tmp_path: Path) -> None:
    made = sweep_folder(tmp_path, betas=(1, 2), test=20)
    summary = _summary(made)
    summary["sandwich"]["rows"][0]["holds"] = False
    test = summary["runs"][1]["scores"]["test"]
    test["mutual_information_nats"] = test["mi_rate_nats"] + 1
    (made / "sweep.json").write_text(json.dumps(summary))
    page = _page_of(made)
    assert _row(page, "beta 1", 6, after="H − D ≤ I ≤ R")[5] == "broken"
    assert _row(page, "beta 2", 6, after="H − D ≤ I ≤ R")[5] == "holds"
    assert _row(page, "beta 1", 6, after="H − D, at most")[5] == "holds"
    assert _row(page, "beta 2", 6, after="H − D, at most")[5] == "broken"
    assert "I ≤ R holds in 1 of 2 runs" in page.text


def _page_of(folder: Path) -> Page:
    write_sweep(folder)
    return _page(folder)


def test_one_weight_alone_still_stands(tmp_path: Path) -> None:
    made = sweep_folder(tmp_path, betas=(0,), test=20)
    page = _page_of(made)
    assert "shows no effect" in page.text and "One weight alone can't tell" in page.text
    assert "The slopes" not in page.text and not (made / "figures" / "sandwich.svg").exists()


def test_too_few_test_images_have_no_way_between_them(tmp_path: Path) -> None:
    made = sweep_folder(tmp_path, betas=(1, 2), test=20)
    for run in _summary(made)["runs"]:
        path = made / run["folder"] / "arrays.npz"
        with np.load(path) as held:
            arrays = dict(held)
        arrays |= {name: arrays[name][:0] for name in ("ends", "linear", "spherical")}
        np.savez(path, **arrays)
    assert "too few test images" in _page_of(made).text


def test_large_images_are_made_smaller_by_their_means() -> None:
    large = np.zeros((2, 256, 256, 3), np.uint8)
    large[:, ::2] = 100
    assert smaller(large).shape == (2, 128, 128, 3) and (smaller(large) == 50).all()
    same = np.zeros((4, 11, 64, 64, 1), np.uint8)
    assert smaller(same) is same


def test_names_and_sources_are_shown_as_they_are(original: Path) -> None:
    page = _page(original)
    assert "The original <layers> can't run as printed." in page.text and "faces & <more>.zip" in page.text
    assert "RENDERED AVATARS" not in page.text


def test_avatars_are_called_avatars(folder: Path) -> None:
    assert "RENDERED AVATARS" in _page(folder).text


def test_the_command_is_told_where_a_manifest_lies_beside(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    manifest = {"command": ["twofold", "vae", "sweep", "--images", "my faces"]}
    (tmp_path / "copy" / "manifest.json").write_text(json.dumps(manifest))
    assert "twofold vae sweep --images 'my faces'" in _page_of(tmp_path / "copy").text


def test_shared_settings_hold_neither_beta_nor_seed(folder: Path) -> None:
    cells = _page(folder).cells
    assert "objective.warmup" in cells and "objective.beta" not in cells and "seed" not in cells


def test_free_nats_are_told_beside_the_slopes(folder: Path, tmp_path: Path) -> None:
    made = sweep_folder(tmp_path, betas=(1, 2), test=20)
    summary = _summary(made)
    for run in summary["runs"]:
        run["scores"]["objective"] |= {"free_nats": 0.5, "warmup": 0.1}
    (made / "sweep.json").write_text(json.dumps(summary))
    text = _page_of(made).text
    assert "These runs had free nats" in text
    assert "warm-up of beta over 10\u00a0% of the run; 0.5 free nats a unit" in text
    assert "free nats" not in _page(folder).text


def test_the_verdict_warns_of_a_collapse(original: Path, folder: Path) -> None:
    assert 'class="callout warning" role="note"><p class="lead"' in (original / "report.html").read_text()
    assert 'class="callout plain" role="note"><p class="lead"' in (folder / "report.html").read_text()


def test_a_run_away_is_named_beside_the_plane(tmp_path: Path) -> None:
    made = sweep_folder(tmp_path, betas=(0, 1, 100), test=20)
    summary = _summary(made)
    test = summary["runs"][0]["scores"]["test"]
    test |= {"rate_nats": 42_000.0, "negative_elbo_nats": 42_000.0 + test["distortion_nats"]}
    (made / "sweep.json").write_text(json.dumps(summary))
    assert "Beta 0 lies far outside, at R 42,000 and D" in _page_of(made).text


@pytest.mark.parametrize("name", ["sweep.json", "runs/beta-1-seed-0/arrays.npz", "runs/beta-1-seed-0/metrics.jsonl"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    made = sweep_folder(tmp_path, betas=(1,), test=20)
    (made / name).unlink()
    with pytest.raises(RunFolderError, match=rf"{name.rpartition('/')[2]} is missing"):
        write_sweep(made)
