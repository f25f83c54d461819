"""What a sweep's figures say of the weight of the rate, and of the original's two claims about it."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import prod
from typing import Any, Literal

import numpy as np

from twofold.page import numbers
from twofold.vae.report.findings import CERTAIN, collapsed
from twofold.vae.report.plane import Weight
from twofold.vae.report.wording import figure, plural

STEP = 0.01
"""Share of its whole range that a figure must change by from one weight to the next, or the step counts as level."""

LEVEL = 1e-4
"""Share of its own size that it must change by: less does not show in four digits."""

Trend = Literal["falls", "rises", "turns", "stays"]
Row = Mapping[str, Any]


def trend(values: Sequence[float]) -> Trend:
    """Which way a figure goes from each weight to the next.

    Args:
        values: means over seeds, by weight.

    Example:
        >>> trend([1.0, 1.0, 3.0]), trend([1.0, 3.0, 2.0]), trend([2.0, 2.0])
        ('rises', 'turns', 'stays')
    """
    least = max(STEP * (max(values) - min(values)), LEVEL * max(map(abs, values)))
    steps = [after - before for before, after in pairwise(values) if abs(after - before) > least]
    if not steps:
        return "stays"
    return "rises" if min(steps) > 0 else "falls" if max(steps) < 0 else "turns"


def moves(values: Sequence[float]) -> str:
    """What a figure does from the smallest to the largest weight, in words.

    Example:
        >>> moves([900.0, 60.0, 3.0]), moves([1.0, 3.0, 2.0])
        ('falls from 900.0 to 3.000', 'goes from 1.000 to 2.000, up and down on the way')
    """
    first, last = figure(values[0]), figure(values[-1])
    return {
        "rises": f"rises from {first} to {last}",
        "falls": f"falls from {first} to {last}",
        "turns": f"goes from {first} to {last}, up and down on the way",
        "stays": f"stays at {first}",
    }[trend(values)]


def ends(grid: Sequence[Weight], key: str) -> str:
    """As `moves`, for the means over seeds of a score on test images."""
    return moves([weight.mean(key) for weight in grid])


def verdict(grid: Sequence[Weight]) -> str:
    """The sweep in three or four sentences."""
    if len(grid) == 1:
        return f"Only {grid[0].name} was trained: a sweep over one weight shows no effect of it. {lowest(grid)}"
    span = f"From {grid[0].name} to {grid[-1].name}"
    effect = (
        f"{span} the rate {ends(grid, 'rate_nats')} nats an image and the test distortion "
        f"{ends(grid, 'distortion_nats')} nats."
    )
    return f"{effect} {lowest(grid)} {units(grid)}"


def lowest(grid: Sequence[Weight]) -> str:
    """Which weight gives the lowest negative ELBO with beta = 1, and by how much."""
    ranked = sorted(grid, key=lambda weight: weight.mean("negative_elbo_nats"))
    first = ranked[0]
    words = f"Scored on the one ELBO (beta = 1), {first.name} is best: {figure(first.mean('negative_elbo_nats'))} nats"
    if len(ranked) == 1:
        return f"Scored on the one ELBO (beta = 1) it reaches {figure(first.mean('negative_elbo_nats'))} nats."
    gap = figure(ranked[1].mean("negative_elbo_nats") - first.mean("negative_elbo_nats"))
    if first.beta == 1:
        return f"{words}, {gap} below {ranked[1].name}; that is the weight which trains this very score."
    one = next((weight for weight in grid if weight.beta == 1), None)
    if one is None:
        return f"{words}, {gap} below {ranked[1].name}; beta 1, which trains this very score, was not tried."
    gain = figure(one.mean("negative_elbo_nats") - first.mean("negative_elbo_nats"))
    return f"{words}, {gain} below beta 1, although beta 1 trains this very score."


def units(grid: Sequence[Weight]) -> str:
    """How much of the code is in use at both ends, and where it is empty."""
    latent = plural(grid[0].runs[0]["test"]["latent_dim"], "unit")
    counts = [f"{_mean_count(weight)} at {weight.name}" for weight in (grid[0], grid[-1])]
    return f"Of {latent} of the code, {counts[0]} and {counts[1]} are active. {collapse(grid)}"


def _mean_count(weight: Weight) -> str:
    mean = weight.mean("active_units")
    return numbers.score(mean, 0 if mean == round(mean) else 1)


def collapse(grid: Sequence[Weight]) -> str:
    """At which weights the code has collapsed onto the prior."""
    found = {weight.name: sum(collapsed(run) for run in weight.runs) for weight in grid}
    empty = [
        name if count == len(grid[0].runs) else f"{name} ({count} of {plural(len(grid[0].runs), 'seed')})"
        for name, count in found.items()
        if count
    ]
    if not empty:
        return "At no weight has the code collapsed."
    return f"The code has collapsed at {listed(empty)}: it says next to nothing about the image, and all decode alike."


def listed(names: Sequence[str]) -> str:
    """Names in a row.

    Example:
        >>> listed(["a"]), listed(["a", "b", "c"])
        ('a', 'a, b and c')
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def original_loss(grid: Sequence[Weight]) -> str:
    """The original's sentence on KL term and reconstruction loss, against the distortions measured."""
    if len(grid) == 1:
        return "One weight alone can't tell."
    distortion, rate = (trend([weight.mean(key) for weight in grid]) for key in ("distortion_nats", "rate_nats"))
    measured = f"the test distortion {ends(grid, 'distortion_nats')} nats from {grid[0].name} to {grid[-1].name}"
    if distortion == "rises":
        words = f"Wrong way round for the weight: {measured}."
        if rate == "falls":
            words += (
                " It is right of the KL term's value, the rate, which moves against its weight: it "
                f"{ends(grid, 'rate_nats')} nats. The dearer the code may be, the better the picture it gives."
            )
        return words
    if distortion == "falls":
        return f"It holds here, against what is to be expected of runs that are trained to the end: {measured}."
    least = min(grid, key=lambda weight: weight.mean("distortion_nats"))
    return f"Not so here, nor the other way round: {measured}; it is lowest at {least.name}."


def original_capacity(grid: Sequence[Weight]) -> str:
    """The original's claim that more KL term raises what the encoder tells, against I(x;z) and R measured."""
    if len(grid) == 1:
        return "One weight alone can't tell."
    capped = [weight.name for weight in grid if any(run["test"]["mi_at_cap"] for run in weight.runs)]
    information = trend([weight.mean("mutual_information_nats") for weight in grid])
    measured = f"from {grid[0].name} to {grid[-1].name} the information {ends(grid, 'mutual_information_nats')} nats"
    cap = figure(max(weight.mean("mi_cap_nats") for weight in grid))
    if len(capped) == len(grid):
        return (
            f"Can't be told: at every weight I(x;z) is at the cap of {cap} nats, the most that so few test images can "
            f"show. What can be told is the rate above it, which {ends(grid, 'rate_nats')} nats."
        )
    price = "R is what bounds I, and the weight is a price on R: it can only lower what may be told."
    judged = {
        "falls": f"Not for a larger weight: {measured}. {price}",
        "rises": f"For a larger weight it holds here, against what is to be expected: {measured}.",
    }.get(information, f"Neither way for the weight: {measured}. {price}")
    if not capped:
        return judged
    return f"{judged} At {listed(capped)} I stands at the cap of {cap} nats, so there it may be more, up to the rate."


def original_bound(grid: Sequence[Weight], exact: Row, proper: bool) -> str:
    """The original's claim that more KL term moves H - D to H, against the exact case and the distortions measured.

    Args:
        grid: the weights, smallest first.
        exact: `sandwich` of sweep.json.
        proper: whether the likelihood is a density or a mass, so that D is a cost.
    """
    rows = [row for row in exact["rows"] if row["entropy_minus_distortion_nats"] is not None]
    left, entropy = [row["entropy_minus_distortion_nats"] for row in rows], exact["entropy_nats"]
    judged = {"falls": "Wrong way round for the weight. ", "rises": "For a larger weight H − D does rise here. "}
    words = (
        f"{judged.get(trend(left), '') if len(left) > 1 else ''}H − D is no bound on the ELBO: minus H is, whatever "
        "the weight, for D + R ≥ H; and H is the data's, so that no setting moves it."
    )
    if len(rows) > 1:
        words += (
            f" In the exact case H is {figure(entropy)} nats, and from beta {rows[0]['beta']:g} to beta "
            f"{rows[-1]['beta']:g} H − D {moves(left)} nats."
        )
        if max(left) > entropy:
            words += " Nor does it stop at H: the D of a density may be below 0, and then H − D is above H."
    if not proper:
        return f"{words} On the images the Bernoulli's D is no cost in nats, so that H − D means nothing there."
    if len(grid) > 1:
        change = numbers.signed(grid[0].mean("distortion_nats") - grid[-1].mean("distortion_nats"), 1)
        words += (
            f" On the images H is unknown, but whatever it is, H − D changes by {change} nats from {grid[0].name} to "
            f"{grid[-1].name}, for D changes by as much the other way."
        )
    return words


def worth(grid: Sequence[Weight]) -> str:
    """What beta weighs the rate against, and where that moves with sigma."""
    if not grid[0].each("sigma"):
        values = numbers.count(prod(grid[0].runs[0]["data"]["shape"][1:]))
        return (
            f"Beta weighs the rate against a cross-entropy summed over the {values} values of an image; for one "
            f"averaged over them the same networks would need beta divided by {values}."
        )
    weight = moves([each.mean("effective_weight", "objective") for each in grid])
    about = "about " if grid[0].runs[0]["likelihood"]["name"] == "logistic" else ""
    words = f"Against {about}half the squared error the rate weighs beta × sigma², which {weight}."
    sigmas = [each.mean("sigma") for each in grid]
    if trend(sigmas) == "stays":
        return words
    return f"{words} Sigma is learned and answers to beta: it {moves(sigmas)}."


def overfitting(grid: Sequence[Weight]) -> str:
    """At which weights test images cost clearly more than images that were trained on."""
    gaps = {weight.name: _gap(weight) for weight in grid}
    clear = {name: gap for name, (gap, error) in gaps.items() if gap > CERTAIN * error}
    told = listed([f"{figure(gap)} at {name}" for name, (gap, _) in gaps.items()])
    words = f"Test minus training images, negative ELBO (beta = 1): {told} nats."
    if not clear:
        return f"{words} None is more than {CERTAIN:g} standard errors: no over-fitting is shown."
    most = f", most at {max(clear, key=lambda name: clear[name])}" if len(clear) > 1 else ""
    return f"{words} Over-fitting is shown at {listed(list(clear))}{most}."


def _gap(weight: Weight) -> tuple[float, float]:
    """Mean over seeds of the gap, and the standard error of one: the seeds share their images, so more help little."""
    errors = [
        np.hypot(*(run[block]["standard_errors"]["negative_elbo_nats"] for block in ("test", "train_sample")))
        for run in weight.runs
    ]
    gap = weight.mean("negative_elbo_nats") - weight.mean("negative_elbo_nats", "train_sample")
    return gap, float(np.mean(errors))


def seeds(grid: Sequence[Weight]) -> str:
    """What the number of seeds lets one say."""
    number = len(grid[0].runs)
    if number == 1:
        return (
            "One seed a weight: first weights and the order of the images are the same for every beta, but how far "
            "another seed would move the figures is not known. Small differences between neighbours mean nothing."
        )
    deviations = [float(np.std(weight.each("negative_elbo_nats"), ddof=1)) for weight in grid]
    close = [
        f"{low.name} and {high.name}"
        for (low, before), (high, after) in pairwise(zip(grid, deviations, strict=True))
        if abs(high.mean("negative_elbo_nats") - low.mean("negative_elbo_nats")) <= CERTAIN * np.hypot(before, after)
    ]
    most = figure(max(deviations))
    words = f"{number} seeds a weight: the negative ELBO varies by {most} nats at most (standard deviation)."
    if len(grid) == 1:
        return words
    if not close:
        return f"{words} Every two neighbours differ by more than {CERTAIN:g} deviations."
    return f"{words} Not told apart by {CERTAIN:g} deviations: {'; '.join(close)}."
