import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from page.reading import Page, check_whole
from page.reading import read as read_html
from twofold.engine.errors import RunFolderError
from twofold.engine.files import saver, write_arrays
from twofold.page.album import Album
from twofold.page.blocks import Section
from twofold.page.drawing import style
from twofold.vae.report import data_sections, meaning, picture_sections, score_sections
from twofold.vae.report import run as report
from twofold.vae.report.evidence import Evidence
from twofold.vae.report.evidence import read as read_evidence
from vae.report.showing import ODD_NAMES, change, run_folder

CONTRACT = (
    "scores.json",
    "config.json",
    "metrics.jsonl",
    "arrays.npz",
    "skipped.json",
    "images.parquet",
    "labels.parquet",
    "manifest.json",
)
DRAWN = {
    "learning-negative-elbo", "learning-rate", "learning-distortion", "learning-sigma", "parts", "nearest-distances",
    "kl-units", "information",
}  # fmt: skip
SHEETS = {"samples", "reconstructions", "prior-samples", "nearest", "interpolations", "traversals", "map"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = run_folder(tmp_path_factory.mktemp("runs") / "run")
    report.write(made)
    return made


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return run_folder(tmp_path / "small", size=16, latent=8, test=20, embedded=False)


def _html(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


def _section(folder: Path, make: Callable[[Evidence, Album], Section]) -> Page:
    with style():
        return read_html(make(read_evidence(folder), Album(saver(folder))).body)


def _text(section: Section) -> str:
    return read_html(section.body).text


def _arrays(folder: Path, **changed: np.ndarray) -> None:
    held = read_evidence(folder).arrays
    write_arrays(folder / "arrays.npz", **(held | changed))


def test_the_page_is_whole_and_loads_nothing(folder: Path) -> None:
    check_whole(_html(folder))
    assert len(_html(folder)) < 5_000_000


def test_every_section_is_there_and_in_order(folder: Path) -> None:
    sections = [named["id"] for tag, named in check_whole(_html(folder)).tags if tag == "section"]
    assert sections == [
        "glance", "images", "network", "learning", "reconstructions", "samples", "interpolations", "latent", "scores",
        "meaning", "repeat",
    ]  # fmt: skip


def test_every_picture_lies_beside_the_page(folder: Path) -> None:
    figures = folder / "figures"
    assert {path.stem for path in figures.glob("*.svg")} == DRAWN
    assert {path.stem for path in figures.glob("*.png")} == DRAWN | SHEETS
    assert not [path for path in folder.rglob("*") if path.name.startswith(".")]
    tags = check_whole(_html(folder)).tags
    assert len([named for tag, named in tags if tag == "svg"]) == len(DRAWN)
    assert len([named for tag, named in tags if tag == "img"]) == len(SHEETS)


def test_the_same_files_give_the_same_bytes_wherever_they_lie(folder: Path, tmp_path: Path) -> None:
    for name in CONTRACT:
        shutil.copy(folder / name, tmp_path / name)
    report.write(tmp_path)
    for path in [folder / "report.html", *(folder / "figures").iterdir()]:
        assert path.read_bytes() == (tmp_path / path.relative_to(folder)).read_bytes(), path.name


@pytest.mark.parametrize(
    "awkward",
    [
        {"likelihood": "bernoulli", "channels": 1, "latent": 1, "beta": 100.0, "skipped": 0, "at_cap": False},
        {"likelihood": "logistic", "beta": 0.0, "skipped": 700, "embedded": False},
        {"likelihood": "gaussian_fixed", "beta": 0.5, "size": 96, "test": 3},
    ],
    ids=str,
)
def test_awkward_runs_make_whole_pages_without_a_null(tmp_path: Path, awkward: dict[str, Any]) -> None:
    report.write(run_folder(tmp_path, **{"size": 16, "latent": 8, "test": 20} | awkward))
    page = check_whole(_html(tmp_path))
    assert not [word for word in ("None", "nan", "null", "inf ") if word in page.text]


def test_names_of_files_are_shown_as_they_are(folder: Path, small: Path) -> None:
    page = check_whole(_html(folder))
    for name in ODD_NAMES:
        assert name in page.text
    assert "<script>alert" not in _html(folder)
    report.write(small)
    assert "faces & <more>.zip" in check_whole(_html(small)).text


def test_avatars_are_said_to_be_rendered_and_own_images_are_not(folder: Path, small: Path) -> None:
    page = check_whole(_html(folder))
    assert "RENDERED AVATARS" in page.text and "not photographed" in page.text
    at = page.cells.index("glasses")
    assert page.cells[at + 1 : at + 3] == ["2", "no 50\u00a0%, yes 50\u00a0%"]
    report.write(small)
    text = check_whole(_html(small)).text
    assert "avatar" not in text.lower().replace("image.avatar", "")


def test_many_skipped_files_are_cut_and_counted(tmp_path: Path) -> None:
    page = _section(run_folder(tmp_path, size=16, test=4, skipped=700), data_sections.images_section)
    assert "the first 500 of 700; skipped.json lists all" in page.text
    assert "00499.png" in page.cells and "00500.png" not in page.cells
    assert "700: 466 not an image; 234 smaller than 16" in page.text


def test_nothing_skipped_is_said(tmp_path: Path) -> None:
    page = _section(run_folder(tmp_path, size=16, test=4, skipped=0), data_sections.images_section)
    assert "No file was skipped." in page.text


def test_layers_add_up(folder: Path) -> None:
    page = read_html(data_sections.network_section(read_evidence(folder)).body)
    model = read_evidence(folder).scores["model"]
    sums = {name: int(page.cells[page.cells.index(name) + 2].replace(",", "")) for name in ("Encoder, sum", "Sum")}
    assert sums["Sum"] == model["parameters"]
    assert sums["Encoder, sum"] == sum(row["parameters"] for row in model["layers"] if row["part"] == "encoder")
    assert page.cells[page.cells.index("Likelihood (its scale)") + 2] == "1"


def test_departures_from_the_original_study_are_told(small: Path) -> None:
    change(small, recipe="original", departures="It <named> no optimiser.")
    report.write(small)
    page = check_whole(_html(small))
    assert "It <named> no optimiser." in page.text and page.loads.count("#network") == 2
    for figure in ("ii", "iii", "iv", "v"):
        assert f"Figure {figure} of the original study" in page.text


def test_the_verdict_comes_first_and_warns(small: Path) -> None:
    change(small, test={"active_units": 0}, memorisation={"closer_than_test": 0.5})
    section = score_sections.glance_section(read_evidence(small))
    assert 'class="callout warning"' in section.body
    text = _text(section)
    assert text.index("Posterior collapse") < text.index("more than chance") < text.index("Negative ELBO")
    assert "beta × sigma²" in text


def test_a_run_without_a_flaw_has_no_warning(small: Path) -> None:
    same = read_evidence(small).scores["test"]["negative_elbo_nats"]
    change(small, train_sample={"negative_elbo_nats": same}, linear={"bits_per_dim": 8.0})
    assert "warning" not in score_sections.glance_section(read_evidence(small)).body


def test_bernoulli_has_a_dash_and_a_reason(tmp_path: Path) -> None:
    folder = run_folder(tmp_path, likelihood="bernoulli", size=16, test=20)
    glance = _text(score_sections.glance_section(read_evidence(folder)))
    assert "Bits per dimension–the Bernoulli likelihood gives no probability to grey values" in glance
    page = _section(folder, score_sections.scores_section)
    at = page.cells.index("Bits per dimension ↓")
    assert page.cells[at + 1 : at + 4] == ["–"] * 3
    assert page.cells[page.cells.index("Negative ELBO, nats an image ↓") + 4] == "–"  # of the linear model: other nats
    assert "no density on grey values" in _text(data_sections.network_section(read_evidence(folder)))


def test_a_score_stands_beside_its_error_for_each_part(small: Path) -> None:
    change(small, test={"mse": 0.25, "standard_errors": {"mse": 0.01}})
    page = _section(small, score_sections.scores_section)
    at = page.cells.index("Squared error ↓")
    assert page.cells[at + 1] == "0.250 ± 0.010"
    assert page.cells[at + 3] == "0.003520 ± 0.000082"


def test_the_cap_makes_bounds_of_what_was_measured(small: Path) -> None:
    page = _section(small, score_sections.scores_section)
    assert page.cells[page.cells.index("Information I(x;z), nats") + 1].startswith("≥ ")
    assert page.cells[page.cells.index("Marginal KL, nats ↓") + 1].startswith("≤ ")
    change(small, test={"mi_at_cap": False})
    page = _section(small, score_sections.scores_section)
    assert "≥ " not in page.text and "H − D ≤ I can't be checked" in page.text


def test_the_loss_is_drawn_where_it_is_not_the_negative_elbo(small: Path, tmp_path: Path) -> None:
    _section(small, score_sections.learning_section)
    assert not (small / "figures" / "learning-loss.svg").exists()
    folder = run_folder(tmp_path / "beta", size=16, test=20, beta=4.0, likelihood="gaussian_fixed")
    _section(folder, score_sections.learning_section)
    assert (folder / "figures" / "learning-loss.svg").exists()
    assert not (folder / "figures" / "learning-sigma.svg").exists()


def test_the_epoch_kept_is_told_with_its_figures(small: Path) -> None:
    found = read_evidence(small)
    best = found.scores["training"]["best_epoch"]
    line = found.metrics[best - 1]
    text = _section(small, score_sections.learning_section).text
    assert f"At epoch {best}: training {line['train_rate']:.2f}, validation {line['validation_rate']:.2f}." in text


def test_too_few_test_images_for_a_way_between_them_is_said(small: Path) -> None:
    held = read_evidence(small).arrays
    _arrays(small, ends=held["ends"][:0], linear=held["linear"][:0], spherical=held["spherical"][:0])
    page = _section(small, picture_sections.interpolations_section)
    assert "too few test images" in page.text
    assert "img" not in [tag for tag, _ in page.tags]


def test_large_images_are_fewer_and_none_is_wider_than_the_page(small: Path) -> None:
    shapes = {"prior": (64,), "nearest": (16,), "ends": (4, 2), "linear": (4, 11), "spherical": (4, 11)}
    _arrays(small, **{name: np.zeros((*shape, 256, 256, 1), np.uint8) for name, shape in shapes.items()})
    page = _section(small, picture_sections.samples_section)
    assert "16 images that the decoder makes" in page.text
    widths = [int(named["width"] or 0) for tag, named in page.tags if tag == "img"]
    page = _section(small, picture_sections.interpolations_section)
    widths += [int(named["width"] or 0) for tag, named in page.tags if tag == "img"]
    assert len(widths) == 3 and max(widths) == 1112


def test_samples_are_told_by_their_distances(small: Path) -> None:
    change(small, memorisation={"sample_distance": 0.0123, "test_distance": 0.0456, "closer_than_test": 0.75})
    text = _section(small, picture_sections.samples_section).text
    assert "within 0.0123" in text and "within 0.0456" in text and "75\u00a0% of the samples" in text


def test_meaning_is_told_without_claims_about_seeds_that_never_ran(small: Path) -> None:
    text = _text(meaning.meaning_section(read_evidence(small)))
    assert "One seed (0)" in text and "Exact duplicates" in text


def test_a_run_can_be_repeated_from_its_page(folder: Path, small: Path) -> None:
    page = check_whole(_html(folder))
    assert "twofold vae run --images 'my faces' --objective.beta 1.0" in page.text
    assert "numpy 2.3.4, torch 2.9.0, twofold 0.1.0" in page.text
    at = page.cells.index("model.latent_dim")
    assert page.cells[at + 1] == "128"
    (small / "manifest.json").unlink()
    assert "Command–" in _text(meaning.repeat_section(read_evidence(small)))


def test_a_missing_file_is_named(small: Path) -> None:
    (small / "arrays.npz").unlink()
    with pytest.raises(RunFolderError, match=r"arrays\.npz is missing"):
        report.write(small)


def test_what_is_told_of_the_parts_is_drawn_from_them(small: Path) -> None:
    scores = json.loads((small / "scores.json").read_text())
    text = _section(small, score_sections.learning_section)
    label = next(named["aria-label"] for tag, named in text.tags if "Dot chart" in (named.get("aria-label") or ""))
    assert f"test {scores['test']['negative_elbo_nats']:,.0f}".replace("-", "−") in (label or "")


def test_the_parts_of_the_split_are_shown_without_the_linear_model(small: Path) -> None:
    told = str(score_sections.learning_section(read_evidence(small), Album(saver(small))).body)
    assert "trained on " in told
    assert "linear model" not in told.lower()
