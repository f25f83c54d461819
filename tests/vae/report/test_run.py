import json
import math
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from page.reading import Page, check_whole
from twofold.engine.errors import RunFolderError
from twofold.engine.files import write_arrays, write_bytes
from twofold.page import album
from twofold.vae.recipes import departures, recipe
from twofold.vae.report import run as report
from vae.report.showing import ODD_NAMES, change, run_folder

CONTRACT = (
    "scores.json", "config.json", "metrics.jsonl", "arrays.npz", "skipped.json", "images.parquet", "labels.parquet",
    "manifest.json",
)  # fmt: skip
DRAWN = {
    "learning-negative-elbo", "learning-rate", "learning-distortion", "learning-sigma", "parts", "nearest-distances",
    "kl-units", "information", "beside", "map-labels",
}  # fmt: skip
HEATS = {"prior-samples", "prior-samples-half", "prior-samples-one"}
SHEETS = {"samples", "reconstructions", *HEATS, "nearest", "interpolations", "traversals", "map"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = run_folder(tmp_path_factory.mktemp("runs") / "run")
    report.write(made)
    return made


@pytest.fixture
def small(tmp_path: Path, undrawn: None) -> Path:
    return run_folder(tmp_path / "small", size=16, latent=8, test=40, embedded=False)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawings are left blank, to save time."""
    monkeypatch.setattr(album, "to_svg", lambda figure: "<svg></svg>")
    monkeypatch.setattr(album, "to_png", lambda figure: b"")


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """The text of a page without its figures, whose scores are those of a small run but for some changes."""
    folder = run_folder(tmp_path_factory.mktemp("text"), size=16, latent=8, test=40)
    scores = (folder / "scores.json").read_bytes()

    def changed(**changes: Any) -> str:
        write_bytes(folder / "scores.json", scores)
        change(folder, **changes)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(report, "_draw", lambda view, album: dict.fromkeys(SHEETS | {"prior"}, 1))
            patch.setattr(album.Album, "show", lambda self, name, alt: "")
            return _written(folder).text

    return changed


def _page(folder: Path) -> Page:
    """A written page, its texts as a browser shows them."""
    page = check_whole(_html(folder))
    page.text = re.sub(r"[ \n]+", " ", page.text)
    return page


def _written(folder: Path) -> Page:
    report.write(folder)
    return _page(folder)


def _html(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


def _arrays(folder: Path, **changed: np.ndarray) -> None:
    write_arrays(folder / "arrays.npz", **(report.read(folder).arrays | changed))


def test_every_section_is_there_and_in_order(folder: Path) -> None:
    sections = [named["id"] for tag, named in check_whole(_html(folder)).tags if tag == "section"]
    assert sections == [
        "pictures", "glance", "beside", "samples", "interpolations", "latent", "factors", "meaning", "learning",
        "scores", "images", "network", "repeat",
    ]  # fmt: skip
    assert len(_html(folder)) < 3_000_000


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
    page = _written(run_folder(tmp_path, **{"size": 16, "latent": 8, "test": 40} | awkward))
    assert not [word for word in ("None", "nan", "null", "inf ") if word in page.text]


def test_names_of_files_are_shown_as_they_are(folder: Path, small: Path) -> None:
    page = _page(folder)
    for name in ODD_NAMES:
        assert name in page.text
    assert "<script>alert" not in _html(folder)
    assert "faces & <more>.zip" in _written(small).text


def test_avatars_are_said_to_be_rendered_and_own_images_are_not(folder: Path, small: Path) -> None:
    page = _page(folder)
    assert "RENDERED AVATARS" in page.text and "not photographed" in page.text
    at = page.cells.index("glasses", page.cells.index("Attribute"))
    assert page.cells[at + 1 : at + 3] == ["2", "no 50\u00a0%, yes 50\u00a0%"]
    assert "avatar" not in _written(small).text.lower().replace("image.avatar", "")


@pytest.mark.usefixtures("undrawn")
def test_many_skipped_files_are_cut_and_counted(tmp_path: Path) -> None:
    page = _written(run_folder(tmp_path, size=16, test=4, skipped=700))
    assert "the first 500 of 700; skipped.json lists all" in page.text
    assert "00499.png" in page.cells and "00500.png" not in page.cells
    assert "700: 466 not an image; 234 smaller than 16" in page.text


@pytest.mark.usefixtures("undrawn")
def test_nothing_skipped_is_said(tmp_path: Path) -> None:
    assert "No file was skipped." in _written(run_folder(tmp_path, size=16, test=4, skipped=0)).text


def test_layers_add_up(folder: Path) -> None:
    page, model = _page(folder), report.read(folder).scores["model"]
    sums = {name: int(page.cells[page.cells.index(name) + 2].replace(",", "")) for name in ("Encoder, sum", "Sum")}
    assert sums["Sum"] == model["parameters"]
    assert sums["Encoder, sum"] == sum(row["parameters"] for row in model["layers"] if row["part"] == "encoder")
    assert page.cells[page.cells.index("Likelihood (its scale)") + 2] == "1"


def test_departures_from_the_original_study_are_listed(small: Path) -> None:
    change(small, recipe="original", departures=departures(recipe("original")))
    page = _written(small)
    assert "It names no optimiser" in page.text and page.loads.count("#network") == 2
    for figure in ("ii", "iii", "iv", "v"):
        assert f"Figure {figure} of the original study" in page.text


def test_the_verdict_comes_first_and_warns(small: Path) -> None:
    change(small, test={"used_units": 0}, memorisation={"nearest_in_training": 0.9})
    text = _written(small).text
    assert 'class="callout warning"' in _html(small)
    assert text.index("Posterior collapse") < text.index("training images are copied") < text.index("Negative ELBO")
    assert "beta × sigma²" in text


def test_a_run_without_a_flaw_has_no_warning(small: Path) -> None:
    same = report.read(small).scores["test"]["negative_elbo_nats"]
    change(small, train_sample={"negative_elbo_nats": same}, **_against(linear=-1.0, webp=-1.0, png=-1.0))
    _written(small)
    assert "callout warning" not in _html(small)


@pytest.mark.usefixtures("undrawn")
def test_bernoulli_has_a_dash_and_a_reason(tmp_path: Path) -> None:
    page = _written(run_folder(tmp_path, likelihood="bernoulli", size=16, test=40))
    assert "Another likelihood (--likelihood.name): the Bernoulli likelihood gives no probability" in page.text
    assert "Bits per dimension–the Bernoulli likelihood gives no probability to grey values" in page.text
    at = page.cells.index("Bits per dimension ↓")
    assert page.cells[at + 1 : at + 4] == ["–"] * 3
    assert page.cells[page.cells.index("Negative ELBO, nats per image ↓") + 4] == "–"  # of the linear model: other nats


def test_a_score_stands_beside_its_error_for_each_part(small: Path) -> None:
    change(small, test={"mse": 0.25, "standard_errors": {"mse": 0.01}})
    page = _written(small)
    at = page.cells.index("Squared error ↓")
    assert page.cells[at + 1] == "0.250 ± 0.010"
    assert page.cells[at + 3] == "0.003520 ± 0.000082"
    at = page.cells.index("Units in use")
    assert page.cells[at + 1 : at + 5] == ["8", "–", "–", "–"]


def test_the_cap_makes_bounds_of_what_was_measured(small: Path) -> None:
    page = _written(small)
    assert page.cells[page.cells.index("Information I(x;z), nats") + 1].startswith("≥ ")
    assert page.cells[page.cells.index("Marginal KL, nats ↓") + 1].startswith("≤ ")
    change(small, test={"mi_at_cap": False})
    page = _written(small)
    assert "≥ " not in page.text and "H − D ≤ I can't be checked" in page.text


def test_the_loss_is_drawn_where_it_is_not_the_negative_elbo(small: Path, tmp_path: Path) -> None:
    report.write(small)
    assert not (small / "figures" / "learning-loss.svg").exists()
    folder = run_folder(tmp_path / "beta", size=16, test=40, beta=4.0, likelihood="gaussian_fixed")
    report.write(folder)
    assert (folder / "figures" / "learning-loss.svg").exists()
    assert not (folder / "figures" / "learning-sigma.svg").exists()


def test_the_epoch_kept_is_reported_with_its_values(small: Path) -> None:
    found = report.read(small)
    best = found.scores["training"]["best_epoch"]
    line = found.metrics[best - 1]
    text = _written(small).text
    assert f"At epoch {best}: training {line['train_rate']:.2f}, validation {line['validation_rate']:.2f}." in text
    assert "30 epochs. The weights kept" in text
    change(small, training={"stopped_early": True})
    assert "30 epochs and stopped early, since" in _written(small).text


def test_too_few_test_images_have_no_interpolation(small: Path) -> None:
    held = report.read(small).arrays
    _arrays(small, ends=held["ends"][:0], linear=held["linear"][:0], spherical=held["spherical"][:0])
    page = _written(small)
    assert "too few test images" in page.text
    assert len([tag for tag, _ in page.tags if tag == "img"]) == len(SHEETS) - 1


def test_large_images_are_fewer_and_none_is_wider_than_the_page(small: Path) -> None:
    shapes = {"prior": (64,), "nearest": (16,), "ends": (4, 2), "linear": (4, 11), "spherical": (4, 11)}
    _arrays(small, **{name: np.zeros((*shape, 256, 256, 1), np.uint8) for name, shape in shapes.items()})
    page = _written(small)
    assert "16 images that the decoder makes" in page.text
    assert max(int(named["width"] or 0) for tag, named in page.tags if tag == "img") == 1112


def test_a_run_can_be_repeated_from_its_page(folder: Path, small: Path) -> None:
    page = _page(folder)
    assert "twofold vae run --images 'my faces' --objective.beta 1.0" in page.text
    assert "numpy 2.3.4, torch 2.9.0, twofold 0.1.0" in page.text
    at = page.cells.index("model.latent_dim")
    assert page.cells[at + 1] == "128"


def test_a_folder_copied_without_its_manifest_makes_a_page(small: Path) -> None:
    (small / "manifest.json").unlink()
    page = _written(small)
    assert "Command–" in page.text and "Python– Versions–" in page.text


CAP = math.log(40)
ERRORS = {"standard_errors": {"negative_elbo_nats": 30.0, "bits_per_dim": 0.01}}


def _gap(value: float, errors: dict[str, Any] = ERRORS) -> dict[str, Any]:
    """Changes of the scores after which test images cost so many nats more than training images."""
    blocks = {"test": value - 500, "train_sample": -500.0}
    return {block: {"negative_elbo_nats": cost, **errors} for block, cost in blocks.items()}


def _against(**means: float) -> dict[str, Any]:
    """Changes of the network's paired differences from others, +- .004."""
    return {"differences": {rival: {"mean": mean} for rival, mean in means.items()}}


FEW = {
    "test": {"images": 8, "mi_images": 8},
    "differences": {rival: {"images": 8} for rival in ("linear", "png", "webp")},
    "memorisation": {"held_out": 8},
}
"""Changes of the scores that make them those of eight test images."""


def _likelihood(name: str, beta: float, sigma: float | None = 0.1) -> dict[str, Any]:
    """Changes of the scores that make them those of another likelihood and beta."""
    kind = {"is_density": name.startswith("gaussian"), "has_levels": name != "bernoulli", "scaled": sigma is not None}
    return {
        "likelihood": {"name": name, **kind, "learned": name != "gaussian_fixed", "sigma": sigma},
        "objective": {"beta": beta, "effective_weight": None if sigma is None else beta * sigma**2},
        "test": {"sigma": sigma},
    }


def _information(value: float, **changes: Any) -> dict[str, Any]:
    return {"test": {"mutual_information_nats": value, "mi_at_cap": False, **changes}}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"test": {"bits_per_dim": 3.21}}, "A test image costs 3.2100 ± 0.0046 bits per dimension, with a rate of "),
        ({"test": {"bits_per_dim": None}}, "On the test images the rate is "),
        ({"test": {"bits_per_dim": 48.8}}, "Storing the raw pixels is cheaper: 8 bits per dimension."),
        (
            {"test": {"used_units": 1}},
            "The code is in use: 1 of its 8 units varies with the image and changes the picture, and it carries at ",
        ),
        (_information(1.5), "change the picture, and it carries 1.500 nats about the image. "),
        ({"test": {"used_units": 0}}, "nats. Posterior collapse: none of the 8 units of the code is in use (8 vary"),
        ({"test": {"used_units": 0, "active_units": 0}}, "is in use, so that all images are decoded to one picture"),
        ({"test": {"reconstruction_variance_share": 0.011}}, "are nearly one picture, with 1.1\u00a0% of the images'"),
        (
            {"training": {"last_fall_nats": 95.0, "best_epoch": 30}},
            "its validation loss still fell by 95.00 nats in the last tenth of",
        ),
        (
            {"test": {"bits_per_dim": 7.6}},
            "The network is hardly trained: test images cost more than by the mean image",
        ),
        ({"test": {"used_units": 3, "rate_nats": 0.5}}, "the code can distinguish no more than 1.6 images."),
        ({"kl_units_collapsed": 4}, "4 of 8 units (50\u00a0%) have collapsed"),
        ({"kl_units_collapsed": 0}, "No unit of the code has collapsed: each of the 8 carries at least 0.01"),
        ({"test": {"mi_at_cap": True}}, f"no more than log 40 = {CAP:.3f} can be measured"),
        ({"test": {"mi_at_cap": True, "marginal_kl_nats": 7.0}}, "At most 7.000 nats of the rate are marginal KL: "),
        (_information(1.0, marginal_kl_nats=7.0), "7.000 nats of the rate are marginal KL, the divergence"),
        (_information(CAP - math.log(4)), "narrows 40 images down to about 4.00."),
        (_information(-0.001), "not significantly above 0"),
        (_information(2.0, mi_rate_nats=3.0), "holds on the same 40 images: 2.000 ≤ 3.000 nats."),
        (_information(2.01, mi_rate_nats=2.0), "2.010 against 2.000 nats, less than 2 standard errors"),
        (_information(3.0, mi_rate_nats=2.0), "fault of this program, not a refutation."),
        (FEW, "There are too few images (8; at least 30 are needed) to judge over-fitting."),
        (FEW, "too few test images (8; at least 30 are needed) to judge over-fitting, copying or who wins."),
        (FEW, "There are too few test images (8; at least 30 are needed) to judge I ≤ R by an estimate of I"),
        (FEW, "too few held-out images (8; at least 30 are needed) to judge whether training images are copied"),
        (FEW, "to judge whether the network beats probabilistic PCA, lossless WebP and PNG."),
        ({"test": {"iw_negative_elbo_nats": -100.0, "iw_bound_nats": -112.5}}, "lowers the bound by 12.50 nats"),
        ({"test": {"iw_effective_samples": 2.04}}, "2.0 of the K draws are effective. That is so few"),
        ({"test": {"iw_effective_samples": 40.0}}, "40.0 of the K draws are effective. The entropy"),
        ({"test": {"mse": 0.01}}, "value is 25.5 of 255 levels"),
        ({"test": {"sigma": 0.2}}, "A true draw from the model would add noise of sigma = 0.200 (51.0 of 255 levels)"),
        ({"test": {"sigma": None}}, "which looks blurred. Limits"),
        ({"training": {"best_epoch": 0}}, "30 epochs. No epoch improved on the start in closed form"),
        (_gap(80.0), "No over-fitting shown: test images cost 80 ± 42 nats per image more"),
        (_gap(-80.0), "No over-fitting shown: test images cost 80 ± 42 nats per image less"),
        (_gap(-100.0), "No over-fitting: test images even cost 100 ± 42 nats per image less"),
        (
            {"memorisation": {"nearest_in_training": 0.86}},
            "without copying 80\u00a0% ± 3\u00a0% would. That is no sign of",
        ),
        ({"memorisation": {"standard_error": 0.4}}, "no sign of copying, but it could hardly show"),
        (
            _against(linear=-1.0, webp=-0.5, png=-2.0),
            "The network wins: it beats probabilistic PCA by 1.0000 ± 0.0040, lossless WebP by 0.5000 ± 0.0040 and PNG",
        ),
        (
            _against(linear=0.5, webp=1.0, png=-2.0),
            "Lossless WebP wins. The network loses to probabilistic PCA by 0.5000 ± 0.0040 and lossless WebP by 1.0000 "
            "± 0.0040; it beats PNG by 2.0000 ± 0.0040 (bits per dimension, on the same images).",
        ),
        (
            _against(linear=0.001, webp=-1.0, png=-2.0),
            "The network beats lossless WebP by 1.0000 ± 0.0040 and PNG by 2.0000 ± 0.0040; it does not differ "
            "significantly from probabilistic PCA (bits",
        ),
        (_likelihood("bernoulli", 100.0, None), "It is no density on grey values"),
        (_likelihood("bernoulli", 100.0, None), "compare only with those of other Bernoulli runs"),
        (
            _likelihood("bernoulli", 100.0, None),
            "Beta is 100. The rate is weighed against a cross-entropy",
        ),
        (_likelihood("gaussian", 1.0), "negative ELBO may be below 0"),
        (_likelihood("gaussian", 1.0), "in nats of a density"),
        (_likelihood("gaussian", 100.0), "the same optimum. Here sigma is learned"),
        (_likelihood("gaussian_fixed", 100.0), "the loss is squared error / (2 sigma²)"),
        (_likelihood("gaussian_fixed", 100.0), "have the same optimum. Beta is 100"),
        (_likelihood("logistic", 1.0), "can't be below 0"),
        (_likelihood("logistic", 1.0), "images of another size"),
        (_likelihood("logistic", 100.0), "the loss is about squared error"),
        (_likelihood("logistic", 100.0), "beta × sigma² = 1.00 against half"),
        (_likelihood("multiscale", 4.0, None), "beta itself is the weight of the rate"),
        (_likelihood("multiscale", 4.0, None), "what the pixels cost once the decoded picture is known"),
        (_likelihood("multiscale", 4.0, None), "discretised logistic, pixel by pixel in a fixed order, each given"),
        (_likelihood("gaussian", 0.0), "Beta is 0: nothing drew"),
        (_likelihood("gaussian", 4.0), "beta divided by that number for the same optimum: 0.00521 for 4 here"),
        (_likelihood("gaussian", 1.0), "A density may exceed 1, so here the cost may also be below 0."),
        ({"test": {"used_units": 2}}, "Fewer units: only 2 of 8 are in use"),
        ({"test": {"used_units": 0}}, "The code is not used: a smaller beta"),
        (_gap(100.0), "More images: training images cost less"),
        (_against(webp=0.1), "A likelihood that sees each pixel's neighbours"),
        (_likelihood("gaussian", 0.5), "training weighed the rate less"),
        (_likelihood("gaussian", 100.0), "Beta is 100: training weighed the rate more"),
    ],
    ids=str,
)
def test_each_judgement_has_its_words(text: Callable[..., str], changes: dict[str, Any], words: str) -> None:
    assert words in text(**changes)


@pytest.mark.parametrize(
    ("changes", "words", "times"),
    [
        (_gap(100.0), "Over-fitting: test images cost 100 ± 42 nats per image more", 3),
        (
            {"memorisation": {"nearest_in_training": 0.861}},
            "That is 2.0 standard errors more than chance: training images are copied",
            3,
        ),
        (_against(linear=0.1, webp=-1.0), "The network loses to probabilistic PCA by 0.1000", 2),
    ],
    ids=str,
)
def test_a_flaw_is_also_a_warning(text: Callable[..., str], changes: dict[str, Any], words: str, times: int) -> None:
    assert text(**changes).count(words) == times


def test_distances_stand_beside_those_of_training_images(text: Callable[..., str]) -> None:
    page = text()
    assert "40 samples against as many test images" in page
    assert "DistanceTemperature 0Temperature 0.5Temperature 1Training imagesHow to read it" in page
    assert "Sliced Wasserstein distance, patches ↓0.1520.09400.1310.0321The same" in page
    assert "Frechet distance ↓––––Distance between the means and covariances of the features, squared." in page
    assert "Left out: it takes at least 100 images." in page
    assert "closest at temperature 0.5: 0.0940, 2.9 times the distance of training images" in page
    same = {heat: {"swd_laplacian": 0.15 + 0.001 * float(heat)} for heat in ("0", "0.5", "1")}
    alike = text(samples={"temperatures": same})
    assert "By the patches the temperature makes no difference: 0.150, 4.7 times the distance" in alike


def test_samples_without_noise_or_floor_or_scores(text: Callable[..., str], small: Path) -> None:
    block = report.read(small).scores["samples"]
    plain = block | {"temperatures": {"0": block["temperatures"]["0"]}}
    page = text(samples=None) + text()
    assert page.count("How close are they to real images?") == 1
    for name in ("prior_half", "prior_one"):
        held = report.read(small).arrays
        del held[name]
        write_arrays(small / "arrays.npz", **held)
    change(small, samples=None)
    change(small, samples=plain | {"floor": None})
    alone = _written(small).text
    assert "DistanceSamplesHow to read it" in alone
    assert "at temperature" not in alone.split("Samples from the prior")[-1].split("Are they copies?")[0]


def test_beta_tc_is_explained_and_its_correlation_bounded(text: Callable[..., str]) -> None:
    page = text(objective={"name": "beta_tc", "beta": 4.0})
    assert "beta-TC 4" in page
    assert "The objective is beta-TC-VAE's" in page
    assert "distortion + rate + (beta − 1) × total correlation, in nats per image, with beta = 4" in page
    assert "Beta is 4: training weighed the total correlation more than the ELBO does" in page
    assert "≤ 3.21 ± 0.11" in page
    assert "≤ 3.21" not in text(test={"tc_at_cap": False})


def test_known_factors_stand_in_a_table(text: Callable[..., str]) -> None:
    page = text()
    assert "A linear model reads 1 of 2 factors from the code significantly better than a guess" in page
    assert "best of all glasses, in 98\u00a0% of the test images where the most frequent value is right in 50" in page
    assert "glasses297.5\u00a0%50.0\u00a0%47.5 ± 1.190.0\u00a0%0.410.801 (55\u00a0%)" in page
    assert "skin tone551.0\u00a0%50.0\u00a0%1.0 ± 2.048.0\u00a0%" in page
    assert "Disentanglement (DCI) is 0.60" in page
    assert "Skin tone: 1 rarer value left out. Hair is left out: it has fewer than 2 or more than 100" in page
    assert "coloured by glasses, the factor that the linear probe gains most on" in page
    assert "Known factors" not in text(factors=None)


def test_labels_of_a_file_say_what_they_miss(text: Callable[..., str], small: Path) -> None:
    file = {"origin": "file", "unmatched": 3, "unmatched_examples": ["<x>.png", "y.png"], "unlabelled": 1}
    page = text(factors=file)
    assert "given as a file of labels. 3 names in it are no image's: <x>.png, y.png, …. 1 image has no label." in page
    assert "The first folder of each image is taken for its class." in text(factors={"origin": "folders"})


def test_numbers_are_scored_by_r2_and_colour_no_map(small: Path) -> None:
    found = json.loads((run_folder(small.parent / "embedded", size=16, latent=8, test=20) / "scores.json").read_text())
    number = {"name": "age", "kind": "numbers", "probe": 0.375, "probe_error": None, "baseline": 0.0, "forest": 0.25}
    rows = [found["factors"]["factors"][0] | number]
    change(small, factors=found["factors"] | {"factors": rows, "map": None, "disentanglement": None})
    page = _written(small).text
    assert "agenumbersR² 0.38R² 0–R² 0.250.41" in page
    assert "The map of the codes by" not in page
    assert "Disentanglement" not in page
    assert "A linear model reads" not in page


@pytest.mark.parametrize("name", [each for each in CONTRACT if each != "manifest.json"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    folder = run_folder(tmp_path, size=16, test=4)
    (folder / name).unlink()
    with pytest.raises(RunFolderError, match=f"{name} is missing"):
        report.write(folder)


def test_the_chart_of_the_parts_is_described_by_its_values(small: Path) -> None:
    test = report.read(small).scores["test"]
    label = next(named["aria-label"] for _, named in _written(small).tags if "Dot" in (named.get("aria-label") or ""))
    assert f"test {test['negative_elbo_nats']:,.0f}".replace("-", "−") in (label or "")
    assert "training " in (label or "") and "linear model" not in (label or "").lower()
