"""Sections of a sweep's report made of figures: the verdict, the table, the original's claims."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from twofold.page import numbers
from twofold.page.album import Album
from twofold.page.blocks import (
    Column,
    Section,
    bullets,
    callout,
    cards,
    definitions,
    details,
    gallery,
    paragraph,
    table,
)
from twofold.page.html import Html, join, tag
from twofold.vae.report import caveats, claims, findings, plane, sweep_figures, wording
from twofold.vae.report.plane import Weight
from twofold.vae.report.wording import SCORES, figure, with_error

Summary = Mapping[str, Any]
"""sweep.json."""

_COLUMNS = (
    ("Rate R", "rate_nats", False),
    ("Distortion D", "distortion_nats", False),
    ("Negative ELBO", "negative_elbo_nats", True),
    ("Bits per dim.", "bits_per_dim", True),
    ("IW bound", "iw_bound_nats", True),
    ("I(x;z)", "mutual_information_nats", False),
    ("Active units", "active_units", False),
    ("MSE", "mse", True),
)
"""Heading, score and whether the best of it is marked."""
_LINES = {
    "rate": "R",
    "information": "I(x;z)",
    "distortion": "D",
    "test": "test images",
    "train_sample": "images trained on",
    "units": "active units",
}
"""What a line of a picture is called."""


def verdict_section(grid: Sequence[Weight]) -> Section:
    """What the weight does, in a few measured sentences, and the key figures."""
    collapsed = any(findings.collapsed(run) for weight in grid for run in weight.runs)
    parts: list[str] = [
        callout(paragraph(claims.verdict(grid), kind="lead"), kind="warning" if collapsed else "plain"),
        cards(_key_figures(grid)),
        details("The terms, in a line each", definitions(wording.TERMS)),
    ]
    return Section("verdict", "What the weight of the KL term does", join(parts))


def _key_figures(grid: Sequence[Weight]) -> list[tuple[str, str, str, str]]:
    first, last = grid[0], grid[-1]
    least = min(grid, key=lambda weight: weight.mean("negative_elbo_nats"))
    bound = plane.best(grid)
    between = f"{first.name} to {last.name}"
    lowest, _ = _spread(least.each("negative_elbo_nats"))
    return [
        ("Rate R", _from_to(grid, "rate_nats"), "", f"nats an image, {between}"),
        ("Distortion D", _from_to(grid, "distortion_nats"), "", f"nats an image, {between}"),
        ("Lowest negative ELBO", lowest, "", f"nats an image at {least.name}, each run scored with beta = 1"),
        ("Best bound", figure(bound.bound), "", f"nats an image, importance-weighted, {bound.name}"),
        ("Information I(x;z)", _from_to(grid, "mutual_information_nats"), "", f"nats, {between}; see its cap below"),
        ("Active units", _from_to(grid, "active_units"), "", f"of {first.runs[0]['test']['latent_dim']}, {between}"),
    ]


def _from_to(grid: Sequence[Weight], key: str) -> str:
    ends = (grid[0].mean(key), grid[-1].mean(key))
    if key == "active_units":
        return " → ".join(numbers.score(value, 0) for value in ends)
    return " → ".join(figure(value) for value in ends)


def table_section(grid: Sequence[Weight], summary: Summary, album: Album) -> Section:
    """Every weight's figures side by side, and drawn against the weight."""
    several = len(summary["seeds"]) > 1
    test = grid[0].runs[0]["test"]
    words = (
        f"On {wording.plural(test['images'], 'test image')} that no run has seen, in nats an image. Negative ELBO, "
        "bits and the importance-weighted bound count the rate once, whatever the run was trained with, so that all "
        f"runs compare. The bound (IW) is the negative ELBO less what K = {test['iw_samples']} draws gain on it, "
        f"measured on {wording.plural(test['iw_images'], 'image')}. ★ marks the best of a column; where neither more "
        f"nor less is better, none is. ≥ stands before an I(x;z) at its cap, {_caps(grid)}: it can't be measured above."
    )
    over = "mean over seeds, ± standard deviation over them" if several else f"seed {summary['seeds'][0]}"
    parts: list[str] = [paragraph(words), table(_headings(), _rows(grid), f"Every weight: {over}")]
    parts += [paragraph(claims.worth(grid)), gallery(_effects(grid, album))]
    folders = [tag("code", run["folder"]) for run in summary["runs"]]
    listed = join([paragraph("Beside this page; each holds its own report.html and its model."), bullets(folders)])
    parts.append(details(f"The {wording.plural(len(folders), 'run folder')}", listed))
    return Section("table", "Every weight side by side", join(parts))


def _caps(grid: Sequence[Weight]) -> str:
    test = grid[0].runs[0]["test"]
    return f"log {numbers.count(test['mi_images'])} = {figure(test['mi_cap_nats'])}"


def _headings() -> list[Column]:
    named = [
        Column(f"{label}\N{NO-BREAK SPACE}{SCORES[key].arrow}" if marked else label, hint=SCORES[key].meaning)
        for label, key, marked in _COLUMNS
    ]
    sigma = Column("Sigma", hint="Standard deviation of a value in [0, 1] that the likelihood leaves open")
    weight = Column(
        "beta × sigma²", hint="Weight of the rate against half the squared error: what compares across runs"
    )
    return [Column("Weight", "left"), *named, sigma, weight]


def _rows(grid: Sequence[Weight]) -> list[list[Html]]:
    lowest = {key: _lowest(grid, key) for _, key, marked in _COLUMNS if marked}
    return [
        [
            join([weight.name]),
            *(_cell(weight, key, weight is lowest.get(key)) for _, key, _ in _COLUMNS),
            _shown(weight.each("sigma")),
            _shown(weight.each("effective_weight", "objective")),
        ]
        for weight in grid
    ]


def _lowest(grid: Sequence[Weight], key: str) -> Weight | None:
    if key == "iw_bound_nats":
        return plane.best(grid)
    known = [weight for weight in grid if weight.each(key)]
    return min(known, key=lambda weight: weight.mean(key)) if len(known) > 1 else None


def _cell(weight: Weight, key: str, best: bool) -> Html:
    capped = key == "mutual_information_nats" and any(run["test"]["mi_at_cap"] for run in weight.runs)
    values = weight.bounds if key == "iw_bound_nats" else weight.each(key)
    return _shown(values, "≥ " if capped else "", best, whole=key == "active_units")


def _shown(values: Sequence[float], before: str = "", best: bool = False, whole: bool = False) -> Html:
    value, spread = _spread(values)
    if whole and len(set(values)) == 1:
        value = numbers.count(int(values[0]))
    text = tag("span", f"★ {value}", class_="best") if best else Html(f"{before}{value}")
    return join([text, tag("small", spread)]) if spread else text


def _spread(values: Sequence[float]) -> tuple[str, str]:
    """Mean over seeds and, of several, "± their standard deviation"."""
    if not values:
        return numbers.DASH, ""
    return with_error(float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None)


def _effects(grid: Sequence[Weight], album: Album) -> list[Html]:
    def lines(**keys: tuple[str, str]) -> sweep_figures.Lines:
        return {_LINES[line]: [weight.each(*key) for weight in grid] for line, key in keys.items()}

    rate, units = ("rate_nats", "test"), ("active_units", "test")
    elbo = {block: ("negative_elbo_nats", block) for block in ("test", "train_sample")}
    pictures = {
        "Rate and information": ("nats an image", lines(rate=rate, information=("mutual_information_nats", "test"))),
        "Distortion": ("distortion D, nats an image", lines(distortion=("distortion_nats", "test"))),
        "Negative ELBO (beta = 1)": ("negative ELBO, nats an image", lines(**elbo)),
        "Active units": ("active units", lines(units=units)),
    }
    return [_effect(grid, album, title, *picture) for title, picture in pictures.items()]


def _effect(grid: Sequence[Weight], album: Album, title: str, label: str, lines: sweep_figures.Lines) -> Html:
    told = "; ".join(f"{line}: {_told(grid, values)}" for line, values in lines.items())
    test = grid[0].runs[0]["test"]
    cap = test["mi_cap_nats"] if _LINES["information"] in lines else None
    top = float(test["latent_dim"]) if _LINES["units"] in lines else None
    drawn = sweep_figures.by_beta([weight.beta for weight in grid], lines, label, cap=cap, top=top)
    notes = " Small marks are seeds, open ones their means." if len(grid[0].runs) > 1 else ""
    notes += " No I(x;z) can be measured above the cap." if cap is not None else ""
    name = title.partition(" (")[0].replace(" ", "-").lower()
    return album.add(f"effect-{name}", drawn, f"{title} by weight. {told}.", f"{title}, by weight.{notes}")


def _told(grid: Sequence[Weight], values: Sequence[Sequence[float]]) -> str:
    return ", ".join(
        f"{figure(float(np.mean(each)))} at {weight.name}" for weight, each in zip(grid, values, strict=True)
    )


def claims_section(grid: Sequence[Weight], summary: Summary) -> Section:
    """The original's sentences on the KL term beside what was measured here, and what this sweep can't tell."""
    proper = summary["likelihood"]["name"] != "bernoulli"
    judged = {
        "“The higher the KL term, the lower the reconstruction loss”": claims.original_loss(grid),
        "A larger KL term raises the encoder's maximum capacity I(x;z)": claims.original_capacity(grid),
        "A larger KL term raises the ELBO's upper bound: H − D → H": claims.original_bound(
            grid, summary["sandwich"], proper
        ),
    }
    columns = [Column("The original study", "left"), Column("What the figures say", "left")]
    told = table(columns, [[claim, words] for claim, words in judged.items()], "The original's claims, measured")
    limits = [
        claims.overfitting(grid),
        claims.collapse(grid),
        claims.seeds(grid),
        caveats.density(grid[0].runs[0]),
        _entropy(summary["likelihood"]),
    ]
    parts = [
        told,
        tag("h3", "What else the figures say, and what they can't"),
        bullets([each for each in limits if each]),
    ]
    return Section("claims", "The original's claims, judged", join(parts))


def _entropy(likelihood: Mapping[str, Any]) -> str:
    if likelihood["name"] == "bernoulli":
        return "For a Bernoulli likelihood H − D has no meaning as an entropy less a cost; only I and R keep theirs."
    if likelihood["is_density"]:
        return (
            "H of a density may be negative, and depends on the unit of a pixel. Strictly, 8-bit levels have no "
            "density at all and H would be minus infinity; so no bound here is a fact about the images' information, "
            "only the differences between runs are."
        )
    return (
        "The likelihood is a mass on 256 levels, so H here is the entropy of the 8-bit image: at least 0, and D is too."
    )
