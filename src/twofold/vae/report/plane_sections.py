"""Sections of a sweep's report on theory: the rate-distortion plane with its slopes, and H - D <= I <= R."""

from collections.abc import Mapping, Sequence
from typing import Any

from twofold.page import numbers
from twofold.page.album import Album
from twofold.page.blocks import Column, Section, details, gallery, paragraph, table
from twofold.page.html import Html, join, tag
from twofold.vae.report import plane, sweep_checks, sweep_figures, wording
from twofold.vae.report.plane import Weight
from twofold.vae.report.wording import figure

Summary = Mapping[str, Any]
"""sweep.json."""


def plane_section(grid: Sequence[Weight], summary: Summary, album: Album) -> Section:
    """The rate-distortion plane: the runs, the best bound, and the slopes between neighbours."""
    proper = _proper(summary)
    first = plane.best(grid)
    bound = f"D + R = {figure(first.bound)} nats, the importance-weighted bound of {first.name}"
    line = (
        "On and above the dashed line are the pairs that the best bound leaves open; were it the entropy H itself, no "
        "run could lie in the shaded part. But it is a bound from above: H is unknown on images, and at most that."
        if proper
        else "The dashed line is the best bound. Nothing below it is shaded: a Bernoulli likelihood is no density of "
        "grey values, so its bound says nothing of their entropy."
    )
    told = "; ".join(f"{w.name}: R {figure(w.mean('rate_nats'))}, D {figure(w.mean('distortion_nats'))}" for w in grid)
    drawn = gallery(
        [
            album.add(
                "plane",
                plane.rate_distortion(grid, proper),
                f"Rate against distortion. {told}. Dashed: {bound}.",
                f"The rate-distortion plane. Dashed: {bound}. Grey figures: slopes of the secants, where they fit."
                f"{_runaway(grid)}",
            ),
            album.add(
                "plane-height",
                plane.height(grid, proper),
                f"The same runs as D + R above the best bound, on logarithmic axes. {told}.",
                "The same runs by their height above the dashed line, on logarithmic axes that part small rates. The "
                "lowest point is the best ELBO.",
            ),
        ]
    )
    words = paragraph(
        "Each weight picks one point: with beta a nat of rate is worth beta nats of distortion, so the runs go down a "
        f"curve from little rate and much distortion to the reverse. {line}"
    )
    parts = [words, drawn, *_slopes(grid, summary)]
    return Section("plane", "The rate-distortion plane", join(parts))


def _runaway(grid: Sequence[Weight]) -> str:
    return "".join(
        f" {weight.name.capitalize()} lies far outside, at R {figure(weight.mean('rate_nats'))} and D "
        f"{figure(weight.mean('distortion_nats'))}: its rate has no price."
        for weight in plane.runaways(grid)
    )


def _slopes(grid: Sequence[Weight], summary: Summary) -> list[Html]:
    if len(grid) == 1:
        return []
    several = len(summary["seeds"]) > 1
    columns = [Column("Between", "left"), Column("Slope dD/dR"), Column("Of the best runs"), Column("Inside", "left")]
    rows = [
        [
            f"beta {secant.low:g} and {secant.high:g}",
            numbers.score(secant.slope, 3),
            f"{_minus(secant.high)} to {_minus(secant.low)}",
            _inside(secant, several),
        ]
        for secant in plane.secants(grid)
    ]
    words = (
        "Of two runs that are each the best for its weight, neither can be bettered by the other at its own price. So "
        "the slope of the line through them lies between minus the one weight and minus the other, whatever the data "
        "is."
    )
    free = any(run["objective"]["free_nats"] for weight in grid for run in weight.runs)
    note = (
        " These runs had free nats, so that they were trained for another price and this need not hold." if free else ""
    )
    caption = "Slopes of the secants, test images"
    return [
        tag("h3", "The slopes"),
        paragraph(f"{words}{note} {sweep_checks.slopes(grid)}"),
        table(columns, rows, f"{caption}, means over seeds" if several else caption),
    ]


def _minus(beta: float) -> str:
    return f"{numbers.MINUS}{beta:g}" if beta else "0"


def _inside(secant: plane.Secant, several: bool) -> str:
    if secant.inside is None:
        return "rates too close to tell"
    judged = "yes" if secant.inside else "no"
    held = sum(slope is not None and secant.expected(slope) for slope in secant.slopes)
    return f"{judged}; {held} of {wording.plural(len(secant.slopes), 'seed')}" if several else judged


def inequality_section(grid: Sequence[Weight], summary: Summary, album: Album) -> Section:
    """H - D <= I <= R: exactly where all are known, and as far as it can be checked on images."""
    parts: list[str] = [
        paragraph(
            "Alemi et al. (2018) bound what a code tells: H − D ≤ I(x;z) ≤ R, with H the entropy of the data. On "
            "images neither H nor I is known exactly, so it is checked twice: in a case where all four are, then on "
            "the images."
        ),
        tag("h3", "Where everything is known"),
        *_exact(summary["sandwich"], album),
        tag("h3", "On the images"),
        paragraph(f"{sweep_checks.inequality(grid)} {sweep_checks.implied(grid, _proper(summary))}"),
        _by_weight(grid, _proper(summary)),
        *_by_run(grid, summary),
    ]
    return Section("inequality", "H − D ≤ I(x;z) ≤ R", join(parts))


def _proper(summary: Summary) -> bool:
    """Whether the likelihood is a density or a mass, so that its nats are a cost."""
    return summary["likelihood"]["name"] != "bernoulli"


def _exact(exact: Mapping[str, Any], album: Album) -> list[Html]:
    known = [row for row in exact["rows"] if row["rate_nats"] is not None]
    columns = [Column("Weight", "left"), Column("H − D"), Column("I(x;z)"), Column("Rate R"), Column("Distortion D")]
    columns.append(Column("H − D ≤ I ≤ R", "left"))
    keys = "entropy_minus_distortion_nats", "mutual_information_nats", "rate_nats", "distortion_nats"
    rows = [
        [f"beta {row['beta']:g}", *(figure(row[key]) for key in keys), _holds(row["holds"])] for row in exact["rows"]
    ]
    words = (
        f"{wording.plural(exact['dimensions'], 'independent normal variable')} with variances from "
        f"{wording.setting(max(exact['eigenvalues']))} to {wording.setting(min(exact['eigenvalues']))}, a linear "
        f"encoder and decoder with sigma² = {wording.setting(exact['noise'])}, each at the exact optimum for its "
        f"weight. H = {figure(exact['entropy_nats'])} nats; no estimate enters. {sweep_checks.exact(known)}"
    )
    if len(known) < len(exact["rows"]):
        words += " With beta = 0 there is no optimum: without a price the rate grows without bound."
    drawn = [table(columns, rows, "The exact case, nats a data point")]
    if len(known) > 1:
        told = "; ".join(f"beta {row['beta']:g}: {', '.join(figure(row[key]) for key in keys[:3])}" for row in known)
        drawn.append(
            gallery(
                [
                    album.add(
                        "sandwich",
                        sweep_figures.sandwich(known),
                        f"H − D, I and R of the exact case by weight. {told}.",
                        "The exact case. Where I and R are equal, the filled dot lies within the open one.",
                    )
                ]
            )
        )
    return [paragraph(words), *drawn]


def _holds(value: bool | None) -> str:
    return numbers.DASH if value is None else "holds" if value else "broken"


def _by_weight(grid: Sequence[Weight], proper: bool) -> Html:
    columns = [Column("Weight", "left"), Column("H − D, at most", hint="The best importance-weighted bound less D")]
    columns += [Column("I(x;z)"), Column("Rate, same images"), Column("Cap log N"), Column("I ≤ R", "left")]
    bound, rows = plane.best(grid).bound, []
    for weight in grid:
        tests = [run["test"] for run in weight.runs]
        held = [_below(test) for test in tests]
        judged = held[0] if len(set(held)) == 1 else f"holds in {held.count('holds')} of {len(held)}"
        capped = "≥ " if any(test["mi_at_cap"] for test in tests) else ""
        ceiling = figure(bound - weight.mean("distortion_nats")) if proper else numbers.DASH
        told = f"{capped}{figure(weight.mean('mutual_information_nats'))}"
        rest = [figure(weight.mean(key)) for key in ("mi_rate_nats", "mi_cap_nats")]
        rows.append([weight.name, ceiling, told, *rest, judged])
    size = wording.plural(grid[0].runs[0]["test"]["mi_images"], "test image")
    means = ", means over seeds" if len(grid[0].runs) > 1 else ""
    return table(columns, rows, f"What is known on the images, in nats; I and the rate on {size}{means}")


def _by_run(grid: Sequence[Weight], summary: Summary) -> list[Html]:
    if len(summary["seeds"]) == 1:
        return []
    columns = [Column("Run", "left"), Column("I(x;z)"), Column("Rate, same images"), Column("I ≤ R", "left")]
    columns.append(Column("I at its cap", "left"))
    rows = [
        [
            f"{weight.name}, seed {run['seed']}",
            wording.score(run["test"], "mutual_information_nats"),
            figure(run["test"]["mi_rate_nats"]),
            _below(run["test"]),
            "yes" if run["test"]["mi_at_cap"] else "no",
        ]
        for weight in grid
        for run in weight.runs
    ]
    body = table(columns, rows, "I ≤ R in every run, in nats; ± is one standard error")
    return [details(f"The {wording.plural(len(rows), 'run')} one by one", body)]


def _below(test: Mapping[str, Any]) -> str:
    if test["mutual_information_nats"] <= test["mi_rate_nats"]:
        return "holds"
    return "within the noise" if sweep_checks.within_noise(test) else "broken"
