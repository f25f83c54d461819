"""Sections of a run's report made of images: reconstructions, samples, interpolations, the latent space."""

import numpy as np

from twofold.page import numbers
from twofold.page.album import Album
from twofold.page.blocks import Section, gallery, paragraph
from twofold.page.html import Html, join, tag
from twofold.vae.report import figures, findings, sheets, wording
from twofold.vae.report.evidence import Evidence
from twofold.vae.report.hanging import across, enlarged, hang, many

_CLOSEST = 0.05
"""Share of the test images that lie closer to a training image than the line in the picture of distances."""
_MAP = 900
"""Width of the map of codes, in pixels."""


def reconstructions_section(evidence: Evidence, album: Album) -> Section:
    """Test images beside what the decoder makes of their codes."""
    real, made = evidence.arrays["real"], evidence.arrays["reconstruction"]
    scale = enlarged(real.shape[2])
    columns = across(2 * scale * real.shape[2] + sheets.GAP, sheets.WIDE_GAP)
    shown = many(len(real), scale * real.shape[1], columns)
    drawn = hang(
        album,
        "reconstructions",
        sheets.pairs(real[:shown], made[:shown], columns, scale),
        f"{wording.plural(shown, 'pair')} of a test image and, on its right, its reconstruction.",
        f"{wording.plural(shown, 'test image')}, none of them trained on, each with its reconstruction on its right: "
        "the decoded mean of the code's distribution.",
    )
    words = [_place(evidence, "iii"), paragraph(findings.error(evidence.scores))]
    return Section("reconstructions", "Real images beside reconstructions", join([*words, drawn]))


def _place(evidence: Evidence, figure: str) -> Html:
    """Which figure of the original study this is, where the run repeats it."""
    if evidence.scores["recipe"] != "original":
        return Html("")
    return paragraph(f"Figure {figure} of the original study.", kind="small")


def samples_section(evidence: Evidence, album: Album) -> Section:
    """Images decoded from draws of the prior, and how near they are to images that were trained on."""
    prior = evidence.arrays["prior"]
    scale = enlarged(prior.shape[2])
    columns = across(scale * prior.shape[2])
    shown = many(len(prior), scale * prior.shape[1], columns)
    drawn = hang(
        album,
        "prior-samples",
        sheets.grid(prior[:shown], columns, scale),
        f"A sheet of {wording.plural(shown, 'image')} decoded from draws of the prior.",
        f"{wording.plural(shown, 'image')} that the decoder makes from draws of the prior; none was picked by hand.",
    )
    words = paragraph(
        "What the model makes up when it is shown nothing: a random code is drawn from the prior, and decoded."
    )
    parts = [_place(evidence, "iv"), words, drawn, tag("h3", "Are they copies?"), *_memorised(evidence, album)]
    return Section("samples", "Samples from the prior", join(parts))


def _memorised(evidence: Evidence, album: Album) -> list[Html]:
    held = evidence.arrays
    nearest, near = held["nearest"], held["nearest_distance"]
    scale = enlarged(nearest.shape[2])
    columns = across(scale * nearest.shape[2], sheets.WIDE_GAP // 2)
    shown = many(len(nearest), 2 * scale * nearest.shape[1], columns)
    pairs = hang(
        album,
        "nearest",
        sheets.strip_pairs(
            held["prior"][:shown],
            nearest[:shown],
            [numbers.score(float(distance)) for distance in near[:shown]],
            columns,
            scale,
        ),
        f"{wording.plural(shown, 'sample')}, each above its nearest training image, with their distance.",
        "Above: a sample. Below it: the training image nearest to it, and how far apart they are (root mean square of "
        "a value in [0,\u00a01]).",
    )
    test = held["test_distance"]
    line = float(np.quantile(test, _CLOSEST))
    drawn = album.add(
        "nearest-distances",
        figures.distances(test.astype(float), near.astype(float), line),
        f"Histogram of {len(test)} test images' distances to their nearest training image, with the "
        f"{wording.plural(len(near), 'sample')} marked; 5\u00a0% of the test images are closer than "
        f"{wording.figure(line, 3)}.",
        "Samples left of the dashed line are closer to a training image than all but 5\u00a0% of new images are. "
        "Smooth pictures are near everything, so the samples may well lie further left without being copies.",
    )
    words = paragraph(
        "A model that has learned its training images by heart gives them back. So each sample is set beside the "
        f"training image nearest to it; how near a new image would be is known from the test images. "
        f"{findings.distances(evidence.scores)} {findings.memorisation(evidence.scores)}"
    )
    return [words, pairs, gallery([drawn])]


def interpolations_section(evidence: Evidence, album: Album) -> Section:
    """The way from one real image to another, straight and along a circle."""
    held = evidence.arrays
    pairs, steps = held["linear"].shape[:2]
    if not pairs:
        words = paragraph("There were too few test images to go from one to another.")
        return Section("interpolations", "From one image to another", words)
    ways = [_way(held["ends"][pair], held[path][pair]) for pair in range(pairs) for path in ("linear", "spherical")]
    labels = [f"{pair + 1}, {path}" for pair in range(pairs) for path in ("linear", "spherical")]
    heads = ["real", *(f"{share:.0%}".replace("%", " %") for share in np.linspace(0, 1, steps)), "real"]
    drawn = hang(
        album,
        "interpolations",
        sheets.rows(np.stack(ways), labels, heads, enlarged(ways[0].shape[2])),
        f"{wording.plural(pairs, 'pair')} of real test images with {steps} decoded images on the way between their "
        "codes, by a straight line and by a circle.",
        "Each row: a real image, the images decoded along the way between both codes, the other real image.",
    )
    words = paragraph(
        "From the mean code of one test image to that of another. The linear way is straight; the spherical one turns "
        "about the origin, so that the code stays about as long as those of images are. In a code that is in use every "
        "step looks like an image of its kind; where it fades from one picture over into the other, the way leads "
        "through codes that the decoder has not learned."
    )
    return Section("interpolations", "From one image to another", join([_place(evidence, "v"), words, drawn]))


def _way(ends: np.ndarray, between: np.ndarray) -> np.ndarray:
    return np.concatenate([ends[:1], between, ends[1:]])


def latent_section(evidence: Evidence, album: Album) -> Section:
    """What single units do, how much each carries, and where the codes of the test images lie."""
    parts = [
        paragraph(findings.collapse(evidence.scores)),
        gallery([_units(evidence, album)]),
        tag("h3", "One unit at a time"),
        _traversals(evidence, album),
        tag("h3", "A map of the codes"),
        _map(evidence, album),
    ]
    return Section("latent", "The latent space", join(parts))


def _units(evidence: Evidence, album: Album) -> Html:
    kl = evidence.arrays["kl_units"].astype(float)
    collapsed = evidence.scores["kl_units_collapsed"]
    return album.add(
        "kl-units",
        figures.kl_by_unit(kl, findings.UNIT_FLOOR),
        f"Mean KL of {wording.plural(len(kl), 'unit')}, largest first: {wording.figure(float(kl.max()))} nats down to "
        f"{wording.figure(float(kl.min()))}; {numbers.count(collapsed)} below {findings.UNIT_FLOOR}.",
        "What each unit of the code carries on the test images, on a logarithmic axis; together they make the rate. A "
        f"unit below the dashed line says nearly the same of every image: {numbers.count(collapsed)} of {len(kl)}.",
    )


def _traversals(evidence: Evidence, album: Album) -> Html:
    held = evidence.arrays
    strips, units = held["traverse"], held["traverse_units"].tolist()
    values = [wording.setting(float(value)) for value in held["traverse_values"]]
    kl = held["kl_units"]
    labels = [f"unit {unit}, {wording.figure(float(kl[unit]), 3)} nats" for unit in units]
    return hang(
        album,
        "traversals",
        sheets.rows(strips, labels, values, enlarged(strips.shape[3])),
        f"{wording.plural(len(units), 'row')} of {len(values)} decoded images, each row one unit of the code set from "
        f"{values[0]} to {values[-1]}.",
        f"The code of one test image, with one unit at a time set from {values[0]} to {values[-1]} (standard "
        "deviations of the prior) and the others left alone. The units that carry most stand on top; a row in which "
        "nothing changes is a unit that the decoder ignores.",
    )


def _map(evidence: Evidence, album: Album) -> Html:
    held = evidence.arrays
    first, second = (numbers.percent(float(share), 0) for share in held["map_explained"])
    drawn = hang(
        album,
        "map",
        sheets.scatter(
            held["map_thumbs"],
            held["map_xy"].astype(float),
            _MAP,
            labels=(f"first direction, {first}", f"second direction, {second}"),
        ),
        f"Thumbnails of test images at the place of their codes on the two main directions, which hold {first} and "
        f"{second} of the variance.",
        f"{wording.plural(len(held['map_xy']), 'test image')} at the place of their mean codes, seen along the two "
        f"directions in which these vary most ({first} and {second} of the variance). Images that would cover another "
        "are left out.",
    )
    words = paragraph(
        "Images that lie close by have codes that are alike in these two directions; the rest of the variance is not "
        "seen here, so neighbours on the map may still be far apart."
    )
    return join([words, drawn])
