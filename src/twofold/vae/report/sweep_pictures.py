"""Sections of a sweep's report on each weight's run: learning curves, reconstructions, samples, interpolations."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import UInt8

from twofold.page.album import Album
from twofold.page.blocks import Section, gallery, paragraph
from twofold.page.html import Html, join, tag
from twofold.vae.report import claims, findings, sheets, sweep_figures, wording
from twofold.vae.report.figures import by_part, framed_from
from twofold.vae.report.hanging import PAGE, enlarged, hang
from twofold.vae.report.plane import Weight
from twofold.vae.report.wording import figure

Arrays = Mapping[str, np.ndarray]
"""Pictures of one run, as `shown` gives them."""
Records = Sequence[Mapping[str, Any]]

_NARROW = 340
"""Width in CSS pixels of a sheet that stands beside two others on a wide screen."""
_ROWS = 6
_WAYS = 2
"""Pairs of real images that interpolations are shown between; each run's own report has all."""
_LABELS = 90
"""Pixels that the names of the weights take beside a sheet."""
_MOST = 128
"""Width in pixels that images have here at most: many stand side by side, and each run's own report has them whole."""


def shown(arrays: Arrays) -> dict[str, np.ndarray]:
    """The pictures of a run that stand beside those of others, made smaller where they are large.

    Args:
        arrays: arrays.npz of the run.
    """
    names = ("real", "reconstruction", "prior", "ends", "linear", "spherical")
    return {name: _smaller(arrays[name]) for name in names}


def _smaller(images: UInt8[np.ndarray, "*some side side c"]) -> UInt8[np.ndarray, "*some less less c"]:
    *some, side, _, channels = images.shape
    block = next(size for size in range(1, side + 1) if side % size == 0 and side // size <= _MOST)
    less = side // block
    if block == 1:
        return images
    return images.reshape(*some, less, block, less, block, channels).mean(axis=(-4, -2)).round().astype(np.uint8)


def courses_section(grid: Sequence[Weight], metrics: Mapping[str, Records], album: Album) -> Section:
    """The negative ELBO of all weights on one axis, and each run's own loss, rate and distortion.

    Args:
        grid: the weights, smallest first.
        metrics: a weight's name -> the lines of metrics.jsonl of its first seed.
        album: saves the pictures.
    """
    first = max(framed_from(records) for records in metrics.values())
    cut = f" Those of single runs are framed for epochs from {first} on; earlier ones may lie outside." * (first > 1)
    seeds = " All pictures are of the first seed." if len(grid[0].runs) > 1 else ""
    words = paragraph(
        "Every run minimised its own loss, distortion + beta × rate, so the losses of two weights can't be compared. "
        "The negative ELBO with beta = 1 can, in the first two pictures. Training figures are means over the epoch "
        f"while the weights moved; validation is measured after it.{seeds}{cut}"
    )
    together = [_together(metrics, part, album) for part in ("training", "validation")]
    single = [_course(name, records, album) for name, records in metrics.items()]
    heading = tag("h3", "Each run's own loss and its two parts")
    parts = [words, gallery(together), heading, gallery(single, narrow=True)]
    return Section("learning", "Learning curves", join(parts))


def _together(metrics: Mapping[str, Records], part: str, album: Album) -> Html:
    last = {name: by_part(records, "negative_elbo")[part][-1] for name, records in metrics.items()}
    told = "; ".join(f"{name}: {figure(value)}" for name, value in last.items())
    caption = f"Negative ELBO (beta = 1) on {part} images. After the last epoch, nats: {told}."
    drawn = sweep_figures.elbo_courses(metrics, part)
    return album.add(f"courses-elbo-{part}", drawn, f"By epoch, above the lowest of all. {caption}", caption)


def _course(name: str, records: Records, album: Album) -> Html:
    last = records[-1]
    ends = "; ".join(
        f"{label} {figure(last[f'train_{part}'])} and {figure(last[f'validation_{part}'])}"
        for label, part in (("loss", "loss"), ("rate", "rate"), ("distortion", "distortion"))
    )
    caption = f"{name.capitalize()}, training and validation after epoch {last['epoch']}: {ends} nats."
    drawn = sweep_figures.courses(records, name)
    return album.add(f"courses-{_file(name)}", drawn, f"Loss, rate and distortion by epoch. {caption}", caption)


def _file(name: str) -> str:
    return name.replace(" ", "-").replace(".", "_")


def reconstructions_section(grid: Sequence[Weight], arrays: Mapping[str, Arrays], album: Album) -> Section:
    """The same test images under every weight, then column pairs weight by weight.

    Args:
        grid: the weights, smallest first.
        arrays: a weight's name -> the pictures of its first seed.
        album: saves the pictures.
    """
    real = next(iter(arrays.values()))["real"]
    scale = enlarged(real.shape[2])
    columns = min(len(real), max(1, (PAGE - _LABELS) // (scale * real.shape[2] + sheets.GAP)))
    rows = [real[:columns], *(held["reconstruction"][:columns] for held in arrays.values())]
    together = hang(
        album,
        "reconstructions",
        sheets.rows(np.stack(rows), ["real", *arrays], scale=scale),
        f"{wording.plural(columns, 'test image')} in the top row and below it their reconstructions under "
        f"{claims.listed(list(arrays))}.",
        "Top row: test images, none of them trained on. Below: what each weight's decoder makes of their codes.",
    )
    errors = "; ".join(f"{figure(255 * float(np.sqrt(weight.mean('mse'))))} at {weight.name}" for weight in grid)
    words = paragraph(
        "What the code leaves open is averaged, which looks blurred. A value of a reconstructed pixel is off, of 255 "
        f"levels (root mean square), by {errors}."
    )
    pairs = [_pairs(name, held, album) for name, held in arrays.items()]
    parts = [words, together, tag("h3", "Column pairs"), gallery(pairs, narrow=True)]
    return Section("reconstructions", "Real images beside reconstructions", join(parts))


def _pairs(name: str, held: Arrays, album: Album) -> Html:
    real, made = held["real"], held["reconstruction"]
    scale = enlarged(real.shape[2])
    columns = max(1, _NARROW // (2 * scale * real.shape[2] + sheets.GAP + sheets.WIDE_GAP))
    number = min(len(real), columns * _ROWS)
    return album.add_picture(
        f"pairs-{_file(name)}",
        sheets.pairs(real[:number], made[:number], columns, scale),
        f"{wording.plural(number, 'pair')} of a test image and its reconstruction under {name}.",
        f"{name.capitalize()}: test images, each with its reconstruction on its right.",
    )


def samples_section(grid: Sequence[Weight], arrays: Mapping[str, Arrays], album: Album) -> Section:
    """Images decoded from the prior for every weight, those that the original left out too."""
    drawn = [_samples(name, held["prior"], album) for name, held in arrays.items()]
    parts: list[str] = [
        paragraph(
            "The same recipe for every weight: a random code from the prior, decoded. The original study shows none "
            "for its KL term × 100 and × 0; here they are for every weight, and none was picked by hand."
        ),
        gallery(drawn, narrow=True),
        *(paragraph(words) for weight in grid if (words := prior_words(weight))),
    ]
    return Section("samples", "Samples from the prior", join(parts))


def prior_words(weight: Weight) -> str:
    """Why a weight's samples look as they do, where its figures tell; else empty."""
    run = weight.runs[0]
    if findings.collapsed(run):
        return (
            f"{weight.name.capitalize()}: the code has collapsed, so whatever is drawn from the prior decodes to "
            "nearly the same image."
        )
    if weight.beta == 0:
        away = figure(run["test"]["marginal_kl_nats"])
        most = "up to " if run["test"]["mi_at_cap"] else ""
        return (
            "Beta 0: nothing in the loss ties the codes of all images together, q(z), to the prior p(z). They lie "
            f"{most}{away} nats away from it (marginal KL), so a draw from the prior falls where the decoder has "
            "learned nothing. That says nothing of the reconstructions, which need no prior."
        )
    return ""


def _samples(name: str, prior: np.ndarray, album: Album) -> Html:
    scale = enlarged(prior.shape[2])
    columns = max(1, _NARROW // (scale * prior.shape[2] + sheets.GAP))
    number = min(len(prior), columns * max(columns, 2))
    return album.add_picture(
        f"prior-{_file(name)}",
        sheets.grid(prior[:number], columns, scale),
        f"{wording.plural(number, 'image')} decoded from draws of the prior under {name}.",
        f"{name.capitalize()}: draws from the prior, decoded.",
    )


def interpolations_section(arrays: Mapping[str, Arrays], album: Album) -> Section:
    """The way from one real image to another under every weight, straight and along a circle."""
    first = next(iter(arrays.values()))
    pairs = min(_WAYS, len(first["ends"]))
    if not pairs:
        words = paragraph("There were too few test images to go from one to another.")
        return Section("interpolations", "From one image to another", words)
    words = paragraph(
        "From the mean code of one test image to that of another, under every weight. The linear way is straight; the "
        "spherical one turns about the origin, so that the code stays about as long as those of images are. In the "
        "outer columns stand the two real images."
    )
    drawn: list[Html] = []
    for pair in range(pairs):
        drawn.append(tag("h3", f"Pair {pair + 1}"))
        drawn += [_way(arrays, pair, path, album) for path in ("linear", "spherical")]
    return Section("interpolations", "From one image to another", join([words, *drawn]))


def _way(arrays: Mapping[str, Arrays], pair: int, path: str, album: Album) -> Html:
    ways = [
        np.concatenate([held["ends"][pair, :1], held[path][pair], held["ends"][pair, 1:]]) for held in arrays.values()
    ]
    steps = len(ways[0]) - 2
    heads = ["real", *(f"{share:.0%}".replace("%", " %") for share in np.linspace(0, 1, steps)), "real"]
    names = claims.listed(list(arrays))
    return hang(
        album,
        f"way-{pair + 1}-{path}",
        sheets.rows(np.stack(ways), list(arrays), heads, enlarged(ways[0].shape[2])),
        f"Under {names}: {steps} decoded images on the {path} way between two test images.",
        f"{path.capitalize()}: a row for each weight.",
    )
