import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from page.reading import Page, check_whole
from page.reading import read as read_html
from twofold.engine.errors import RunFolderError
from twofold.engine.files import write_text
from twofold.page import template
from twofold.vae.recipes import departures, recipe
from twofold.vae.report import judgements, plane, wording
from twofold.vae.report.plane import Weight, weights
from twofold.vae.report.sweep import SweepView, smaller, write
from vae.report.sweep_showing import REVERSED, USUAL, course, exact, grid, scores, sweep_folder

SECTIONS = [
    "plane", "reconstructions", "samples", "verdict", "table", "interpolations", "claims", "learning", "inequality",
    "images", "repeat",
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = sweep_folder(tmp_path_factory.mktemp("sweeps") / "several", betas=(0, 0.5, 1, 2), seeds=(0, 1))
    write(made)
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
        departures=departures(recipe("original")),
    )
    write(made)
    return made


def _page(folder: Path) -> Page:
    return check_whole((folder / "report.html").read_text(encoding="utf-8"))


def _page_of(folder: Path) -> Page:
    write(folder)
    return _page(folder)


def _summary(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "sweep.json").read_text())


def _row(page: Page, name: str, cells: int, after: str | None = None) -> list[str]:
    at = page.cells.index(name, page.cells.index(after) if after else 0)
    return page.cells[at : at + cells]


def test_the_page_is_whole(folder: Path, original: Path) -> None:
    for made in (folder, original):
        page = _page(made)
        assert [named["id"] for tag, named in page.tags if tag == "section"] == SECTIONS
        assert (made / "report.html").stat().st_size < 3_000_000
        assert not [word for word in ("None", "nan", "null") if word in page.text.replace("nano", "")]


def test_every_picture_lies_beside_the_page(folder: Path) -> None:
    drawn = {path.stem for path in (folder / "figures").glob("*.svg")}
    assert {"plane", "plane-height", "sandwich", "effect-distortion", "courses-elbo-training"} < drawn
    assert "courses-beta-0_5" in drawn
    pictures = {path.stem for path in (folder / "figures").glob("*.png")} - drawn
    assert {"reconstructions", "pairs-beta-0", "prior-beta-0_5", "way-1-linear", "way-2-spherical"} <= pictures
    tags = [tag for tag, named in _page(folder).tags if tag == "img" or (tag == "svg" and named.get("role") == "img")]
    assert len(tags) == len(drawn) + len(pictures)


def test_the_same_files_give_the_same_bytes_wherever_they_lie(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "sweep.json", tmp_path / "sweep.json")
    shutil.copytree(folder / "runs", tmp_path / "runs")
    write(tmp_path)
    for path in [folder / "report.html", *(folder / "figures").iterdir()]:
        assert path.read_bytes() == (tmp_path / path.relative_to(folder)).read_bytes(), path.name


def test_pictures_are_those_of_the_first_seed(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "sweep.json", tmp_path / "sweep.json")
    shutil.copytree(folder / "runs", tmp_path / "runs", ignore=shutil.ignore_patterns("*-seed-1"))
    write(tmp_path)
    assert (tmp_path / "report.html").read_bytes() == (folder / "report.html").read_bytes()


def test_seeds_give_a_spread_and_the_best_is_marked(folder: Path) -> None:
    grid = weights(_summary(folder)["runs"])
    cells = _row(_page(folder), "beta 1", 11)
    mean, deviation = grid[2].mean("rate_nats"), float(np.std(grid[2].values("rate_nats"), ddof=1))
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
    cells = _row(_page(original), "beta 0", 12)
    assert [cells[index] for index in (4, 10, 11)] == ["–"] * 3
    text = _page(original).text
    assert "is no density of grey values" in text and "no meaning as an entropy" in text
    assert "the Bernoulli's nats are a loss" in text and "upper bound on H − D" not in text


def test_a_density_bounds_h_minus_d(folder: Path) -> None:
    page, grid = _page(folder), weights(_summary(folder)["runs"])
    cells = _row(page, "beta 2", 6, after="H − D, at most")
    bound = min(weight.bound for weight in grid) - grid[3].mean("distortion_nats")
    assert float(cells[1].replace("−", "-")) == pytest.approx(bound, rel=0.001)
    assert "is at least H" in page.text and "upper bound on H − D" in page.text
    assert cells[2].startswith("≥ ") and cells[5] == "holds"


def test_collapse_and_beta_0_are_explained_with_the_samples(original: Path, folder: Path) -> None:
    text = _page(original).text
    assert "Beta 100: the code has collapsed" in text and "Beta 0: nothing in the loss ties" in text
    assert "has collapsed at beta 100" in text
    assert "collapsed, so whatever" not in _page(folder).text


def test_slopes_are_compared_with_those_of_optimal_runs(folder: Path) -> None:
    cells = _row(_page(folder), "beta 0.5 and 1", 4)
    assert cells[2] == "−1 to −0.5" and cells[3] in {"yes; 2 of 2 seeds", "no; 0 of 2 seeds", "yes; 1 of 2 seeds"}
    assert _row(_page(folder), "beta 0 and 0.5", 4)[2] == "−0.5 to 0"
    assert re.search(r"[0-3] of 3 secants ha(s|ve) such a slope", _page(folder).text)


def test_a_broken_inequality_is_called_broken(tmp_path: Path) -> None:
    made = sweep_folder(tmp_path, betas=(1, 2, 4), test=40)
    summary = _summary(made)
    summary["sandwich"]["rows"][0]["holds"] = False
    for run, excess in zip(summary["runs"], (-1, 0.001, 1), strict=True):
        run["scores"]["test"] |= {"mutual_information_nats": run["scores"]["test"]["mi_rate_nats"] + excess}
    write_text(made / "sweep.json", json.dumps(summary))
    page = _page_of(made)
    assert _row(page, "beta 1", 6, after="H − D ≤ I ≤ R")[5] == "broken"
    assert _row(page, "beta 2", 6, after="H − D ≤ I ≤ R")[5] == "holds"
    assert _row(page, "beta 1", 6, after="H − D, at most")[5] == "holds"
    assert _row(page, "beta 4", 6, after="H − D, at most")[5] == "estimate in error"
    assert "I ≤ R holds in 1 of 3 runs, in 1 more within 2 standard errors of the estimate." in page.text
    assert "In 1 the estimate of I exceeds R by more than its noise: I ≤ R is a theorem" in page.text
    assert "The inequality is broken at beta 1, which is impossible" in page.text


def test_one_weight_alone_still_stands(tmp_path: Path) -> None:
    made = sweep_folder(tmp_path, betas=(0,), test=40)
    page = _page_of(made)
    assert "shows no effect" in page.text and "One weight alone can't show this" in page.text
    assert "The slopes" not in page.text and not (made / "figures" / "sandwich.svg").exists()


def test_too_few_test_images_have_no_interpolation(tmp_path: Path) -> None:
    made = sweep_folder(tmp_path, betas=(1, 2), test=40)
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
    odd = np.full((0, 11, 300, 17, 1), 9, np.uint8), np.full((2, 300, 17, 1), 9, np.uint8)
    assert smaller(odd[0]).shape == (0, 11, 100, 6, 1)
    assert smaller(odd[1]).shape == (2, 100, 6, 1) and (smaller(odd[1]) == 9).all()
    same = np.zeros((4, 11, 64, 64, 1), np.uint8)
    assert smaller(same) is same


def test_names_and_sources_are_shown_as_they_are(folder: Path, original: Path) -> None:
    page = _page(original)
    assert "The original study's layers can't run as printed" in page.text and "faces & <more>.zip" in page.text
    assert "RENDERED AVATARS" not in page.text and "RENDERED AVATARS" in _page(folder).text


def test_the_command_is_that_of_the_manifest(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    manifest = {"command": ["twofold", "vae", "sweep", "--images", "my faces"]}
    write_text(tmp_path / "copy" / "manifest.json", json.dumps(manifest))
    assert "twofold vae sweep --images 'my faces'" in _page_of(tmp_path / "copy").text


def test_shared_settings_hold_neither_beta_nor_seed(folder: Path) -> None:
    cells = _page(folder).cells
    assert "objective.warmup" in cells and "objective.beta" not in cells and "seed" not in cells


def test_free_nats_are_mentioned_with_the_slopes(folder: Path, tmp_path: Path) -> None:
    made = sweep_folder(tmp_path, betas=(1, 2), test=40)
    summary = _summary(made)
    for run in summary["runs"]:
        run["scores"]["objective"] |= {"free_nats": 0.5, "warmup": 0.1}
        run["scores"]["test"]["rate_nats"] = 9.0
    write_text(made / "sweep.json", json.dumps(summary))
    text = _page_of(made).text
    assert "These runs had free nats" in text and "No two neighbouring weights differ enough in rate" in text
    assert "warm-up of beta over 10\u00a0% of the run; 0.5 free nats per unit" in text
    assert "free nats" not in _page(folder).text


def test_the_objective_that_was_swept_is_named(folder: Path, tmp_path: Path) -> None:
    made = sweep_folder(tmp_path, betas=(1, 2), test=20)
    write_text(made / "sweep.json", json.dumps(_summary(made) | {"objective": "beta_tc"}))
    text = _page_of(made).text
    assert "What the weight of the total correlation does: beta 1, 2" in text
    assert "These autoencoders minimise distortion + rate + (beta − 1) × total correlation." in text
    assert "≤ 3.210" in text
    assert "the total correlation weighs beta × sigma²" in text
    assert "This sweep weighs one part of it, so it says nothing about them." in text
    assert "The slopes" not in text
    other = _page(folder).text
    assert "beta-TC" not in other and "What the weight of the KL term does" in other


def test_the_verdict_warns_of_a_collapse(original: Path, folder: Path) -> None:
    assert 'class="callout warning" role="note"><p class="lead"' in (original / "report.html").read_text()
    assert 'class="callout plain" role="note"><p class="lead"' in (folder / "report.html").read_text()


def test_a_weight_off_the_scale_of_the_plane_is_named(tmp_path: Path) -> None:
    made = sweep_folder(tmp_path, betas=(0, 1, 100), test=40)
    summary = _summary(made)
    test = summary["runs"][0]["scores"]["test"]
    test |= {"rate_nats": 42_000.0, "negative_elbo_nats": 42_000.0 + test["distortion_nats"]}
    write_text(made / "sweep.json", json.dumps(summary))
    assert "Beta 0 lies far outside, at R 42,000 and D" in _page_of(made).text


@pytest.mark.parametrize("name", ["sweep.json", "runs/beta-1-seed-0/arrays.npz", "runs/beta-1-seed-0/metrics.jsonl"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    made = sweep_folder(tmp_path, betas=(1,), test=40)
    (made / name).unlink()
    with pytest.raises(RunFolderError, match=rf"{name.rpartition('/')[2]} is missing"):
        write(made)


def say(finding: str, weights: Sequence[Weight], *given: Any, closed: dict[str, Any] | None = None) -> str:
    """One finding's text, as a browser shows it; `closed` is the block of closed forms of sweep.json."""
    names = {"grid": weights, "view": SweepView(weights, [], []), "summary": {"sandwich": closed, "objective": "elbo"}}
    macros = template._environment().get_template("vae/report/sweep_findings.html.j2")
    found = macros.make_module(names | {"plane": plane, "judge": judgements, "words": wording})
    return re.sub(r"[ \n]+", " ", read_html(getattr(found, finding)(*given)).text).strip()


def test_a_trend_is_described_by_its_ends() -> None:
    assert say("change", [], [900.0, 60.0, 3.0]) == "falls from 900.0 to 3.000"
    assert say("change", [], [1.0, 3.0, 2.0]) == "goes from 1.000 to 2.000, up and down on the way"
    assert say("change", [], [2.0, 2.0]) == "stays at 2.000"


def test_the_verdict_states_the_measured_scores() -> None:
    words = say("verdict", USUAL)
    assert "From beta 0 to beta 100 the rate falls from 900.0 to 3.000" in words
    assert "the test distortion rises from −200.0 to 2,000" in words
    assert "Of 16 units of the code, 9 at beta 0 and 9 at beta 100 are in use. The code has collapsed at no" in words
    assert "Its negative ELBO, scored with beta = 1, is 700.0 nats." in say("verdict", USUAL[:1])


def test_a_weight_is_chosen_by_cost_and_by_reconstructions() -> None:
    words = say("choice", grid((0.0, scores(900.0, -200.0)), (1.0, scores(60.0, -100.0, mse=4e-4))))
    assert "Beta 1 costs least as a model of the images: −40.00 nats per image, scored with beta = 1." in words
    assert (
        "Beta 0 draws closest to them: its reconstructions are off by 2.55 of 255 levels, those of beta 1 by 5.10."
        in words
    )
    both = say("choice", grid((0.0, scores(900.0, -200.0, mse=1e-3)), (1.0, scores(60.0, -100.0))))
    assert "It draws closest to them, too: its reconstructions are off by 2.55 of 255 levels." in both
    assert "a sweep over one weight shows no effect" in say("choice", USUAL[:1])


def test_the_best_weight_is_named_with_its_lead() -> None:
    assert "beta 1 is best: −40.00 nats, 740.0 below beta 0; that is the weight whose loss" in say("lowest", USUAL)
    other = course((50.0, 60.0, 3.0), (-200.0, -100.0, 2000.0))
    assert "beta 0 is best: −150.0 nats, 110.0 below beta 1, although" in say("lowest", other)
    assert "was not trained" in say("lowest", [USUAL[0], USUAL[2]])


def test_collapse_is_located() -> None:
    empty = grid((1.0, scores(60.0, 0.0)), (100.0, scores(0.0, 9.0, used_units=0)))
    assert "collapsed at beta 100:" in say("collapse", empty)
    assert "9 at beta 1 and 0 at beta 100 are in use" in say("verdict", empty)
    half = grid((1.0, scores(60.0, 0.0)), (1.0, scores(60.0, 0.0)), (9.0, scores(60.0, 0.0)), (9.0, scores(0.1, 0.0)))
    assert "beta 9 (1 of 2 seeds)" in say("collapse", half)


def test_units_are_counted_whole_where_every_seed_has_as_many() -> None:
    runs = [(beta, scores(60.0, 0.0, used_units=count)) for beta, count in ((1.0, 9), (1.0, 10), (2.0, 4), (2.0, 4))]
    assert "9.5 at beta 1 and 4 at beta 2 are in use" in say("verdict", grid(*runs))


def test_the_loss_claim_is_judged_by_the_distortions() -> None:
    assert say("original_loss", USUAL).startswith("The reverse holds for the weight")
    assert "right for the KL term's value" in say("original_loss", USUAL)
    assert say("original_loss", REVERSED).startswith("It holds here")
    turning = say("original_loss", course((900.0, 60.0, 3.0), (50.0, -100.0, 2000.0)))
    assert "Neither it nor the reverse holds here" in turning and "lowest at beta 1" in turning
    assert "right for" not in say("original_loss", course((60.0, 60.0, 60.0), (-200.0, -100.0, 2000.0)))
    assert say("original_loss", USUAL[:1]) == "One weight alone can't show this."


def test_the_capacity_claim_is_judged_by_the_information() -> None:
    def said(*values: float, capped: int = 0) -> str:
        runs = [scores(9.0, 0.0, mutual_information_nats=v, mi_at_cap=k < capped) for k, v in enumerate(values)]
        return say("original_capacity", grid(*zip((0.0, 1.0, 100.0), runs, strict=False)))

    assert said(4.0, 3.0, 1.0).startswith("Not for a larger weight") and "cap" not in said(4.0, 3.0, 1.0)
    assert said(1.0, 3.0, 4.0).startswith("For a larger weight it holds here")
    assert "can only lower" not in said(1.0, 3.0, 4.0)
    assert said(3.0, 4.0, 3.0).startswith("Neither it nor the reverse")
    assert "At beta 0 I is at the cap of 5.000" in said(5.0, 3.0, 1.0, capped=1)
    assert said(5.0, 5.0, 5.0, capped=3).startswith("Not measurable")
    assert said(5.0) == "One weight alone can't show this."


def test_the_bound_claim_is_judged_by_the_exact_case_and_the_distortions() -> None:
    words = say("original_bound", USUAL, closed=exact([0.0, 1.0, 100.0]))
    assert words.startswith("The reverse holds for the weight. H − D is no bound on the ELBO")
    assert "H is 7.193 nats, and from beta 1 to beta 100 H − D falls from 14.26 to −180.2" in words
    assert "Nor does it stop at H" in words
    assert "H − D changes by −2,200.0 nats from beta 0 to beta 100" in words
    turned = exact([0.0, 1.0, 100.0])
    turned["rows"][1:] = [row | {"beta": 101 - row["beta"]} for row in turned["rows"][:0:-1]]
    words = say("original_bound", REVERSED, closed=turned)
    assert words.startswith("For a larger weight H − D does rise here.") and "changes by +2,200.0" in words


def test_the_bound_claim_without_figures_stays_theory() -> None:
    alone = say("original_bound", USUAL[:1], closed=exact([0.0]))
    assert alone.startswith("H − D is no bound") and "exact case" not in alone and "unknown" not in alone
    bernoulli = grid(*((beta, scores(9.0, beta, likelihood="bernoulli")) for beta in (0.0, 1.0)))
    low = say("original_bound", bernoulli, closed=exact([8.0, 100.0]))
    assert "Nor does it stop" not in low and "means nothing there" in low and "changes by" not in low


def test_the_effective_weight_follows_sigma() -> None:
    moved = grid(
        (1.0, scores(9.0, 0.0, effective_weight=0.01)), (4.0, scores(9.0, 0.0, sigma=0.2, effective_weight=0.16))
    )
    assert "beta × sigma², which rises from 0.01000 to 0.1600" in say("effective_weight", moved)
    assert "Sigma is learned, and depends on beta: it rises from 0.1000 to 0.2000" in say("effective_weight", moved)
    assert "learned" not in say("effective_weight", USUAL)
    assert "about half" in say("effective_weight", grid((1.0, scores(9.0, 0.0, likelihood="logistic"))))
    assert "summed over the 192 values" in say(
        "effective_weight", grid((1.0, scores(9.0, 0.0, sigma=None, likelihood="bernoulli")))
    )
    several = scores(9.0, 0.0, sigma=None, likelihood="multiscale")
    assert "beta itself is the weight of the rate" in say("effective_weight", grid((1.0, several)))


def test_after_one_epoch_nothing_is_said_of_collapse() -> None:
    def after(epochs: int) -> dict[str, Any]:
        found = scores(60.0, 0.0)
        found["training"]["epochs"] = epochs
        return found

    untrained = say("collapse", grid((1.0, after(1)), (100.0, after(1))))
    assert untrained.startswith("Nothing has been trained yet") and "at no weight" not in untrained
    assert (
        say("collapse", grid((1.0, after(1)), (100.0, after(9))))
        == "The code has collapsed at no weight that is trained."
    )
    assert say("collapse", grid((1.0, after(9)), (100.0, after(9)))) == "The code has collapsed at no weight."


def test_bits_that_hardly_tell_a_lost_code_are_told_from_those_that_do() -> None:
    def several(rate: float, distortion: float, share: float) -> dict[str, Any]:
        found = scores(rate, distortion, sigma=None, likelihood="multiscale")
        found["test"]["reconstruction_variance_share"] = share
        return found

    cheap = say("without_code", grid((1.0, several(90.0, 910.0, 0.99)), (100.0, several(5.0, 1045.0, 0.01))))
    assert "nats, a test image costs 5.0\xa0% more than at the best weight" in cheap
    assert "the bits hardly tell" in cheap and "keep 99.0\xa0% at beta 1 and 1.0\xa0% at beta 100" in cheap
    dear = say("without_code", grid((1.0, several(90.0, 910.0, 0.99)), (100.0, several(5.0, 1495.0, 0.4))))
    assert "costs 50.0\xa0% more" in dear and "hold much that no neighbour tells" in dear


def test_over_fitting_is_called_by_standard_errors() -> None:
    within = grid((0.0, scores(0.0, 9.9, trained_on=0.0)))
    assert say("overfitting", within).endswith("no over-fitting is shown.")
    beyond = grid((0.0, scores(0.0, 10.1, trained_on=0.0)), (1.0, scores(0.0, 0.0)))
    assert say("overfitting", beyond).endswith("Over-fitting is shown at beta 0.")
    both = grid((0.0, scores(0.0, 20.0, trained_on=0.0)), (1.0, scores(0.0, 40.0, trained_on=0.0)))
    assert say("overfitting", both).endswith("shown at beta 0 and beta 1, most at beta 1.")


def test_weights_that_say_little_are_named() -> None:
    bad = scores(60.0, 0.0, bits_per_dim=48.8)
    assert "At beta 2 the network is hardly trained: its" in say("verdict", grid((1.0, scores(60.0, 0.0)), (2.0, bad)))


def test_the_best_weight_is_set_beside_the_codecs() -> None:
    means = {"linear": -1.0, "webp": 2.0, "png": 0.01}
    pairs = {rival: {"mean": mean, "standard_error": 0.02, "images": 40} for rival, mean in means.items()}
    other = {rival: pair | {"mean": 9.0} for rival, pair in pairs.items()}
    runs = ((beta, scores(cost, 0.0) | {"differences": d}) for beta, cost, d in ((1.0, 5.0, pairs), (2.0, 9.0, other)))
    assert say("rivals", grid(*runs)) == (
        "On the same test images the network at beta 1 loses to lossless WebP by 2.000 ± 0.020; it beats probabilistic "
        "PCA by 1.000 ± 0.020; it does not differ significantly from PNG (bits per dimension)."
    )


def test_neighbours_are_compared_over_seeds() -> None:
    assert say("seeds", USUAL).startswith("One seed")
    runs = [
        (beta, scores(base + noise, 0.0)) for beta, base in ((1.0, 10.0), (2.0, 30.0), (4.0, 31.0)) for noise in (0, 1)
    ]
    words = say("seeds", grid(*runs))
    assert words.startswith("2 seeds") and words.endswith("Within 2 deviations of each other: beta 2 and beta 4.")
    assert say("seeds", grid(*runs[:4])).endswith("All neighbours differ by more than 2 deviations.")
    assert "neighbours" not in say("seeds", grid(*runs[:2]))


def test_the_exact_case_is_judged_by_its_rows() -> None:
    rows = exact([0.5, 1.0, 8.0])["rows"]
    words = say("exact", [], rows)
    assert "holds at every weight" in words and "I and R are equal" in words and "equals them at beta 1." in words
    loose = say("exact", [], [row | {"rate_nats": row["rate_nats"] + 1} for row in rows if row["beta"] != 1])
    assert "are equal" not in loose and "is closest to I" in loose
    assert say("exact", [], [rows[0] | {"holds": False}]).startswith("The inequality is broken at beta 0.5")
    assert say("exact", [], []) == ""
