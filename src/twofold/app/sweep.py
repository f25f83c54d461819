"""The page of a vae sweep: the rate-distortion plane, each of whose points opens that run's pictures."""

import math
from collections.abc import Sequence
from typing import Any

from twofold.app.runs import Run, name_of
from twofold.page import numbers
from twofold.page.template import render

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 410, 76, 30, 36, 52
"""The plane and its margins, in units of the drawing."""
TICKS = 5


def page(run: Run) -> str:
    """The page of a sweep; the run with the lowest negative ELBO is open."""
    points = _points(run)
    best = min(range(len(points)), key=lambda row: points[row]["elbo"])
    rates, distortions = [each["rate"] for each in points], [each["distortion"] for each in points]
    x, y = _axis([0.0, max(rates)], LEFT, WIDTH - RIGHT, root=True), _axis(distortions, HEIGHT - BOTTOM, TOP)
    for each in points:
        each["x"], each["y"] = round(x(each["rate"]), 1), round(y(each["distortion"]), 1)
    betas = sorted({each["beta"] for each in points})
    means = [[each for each in points if each["beta"] == beta] for beta in betas]
    line = [tuple(sum(each[axis] for each in some) / len(some) for axis in "xy") for some in means]
    labels = [(beta, some[0]["x"], min(each["y"] for each in some)) for beta, some in zip(betas, means, strict=True)]
    return render(
        "app/templates/sweep.html.j2",
        run=run.summary(),
        points=points,
        best=best,
        line=" ".join(f"{at:.1f},{height:.1f}" for at, height in line),
        labels=labels,
        across=[(x(value), numbers.plain(value)) for value in _rounded_squares(max(rates))],
        up=[(y(float(value)), numbers.count(value)) for value in _whole_steps(min(distortions), max(distortions))],
        box={
            "width": WIDTH,
            "height": HEIGHT,
            "left": LEFT,
            "right": WIDTH - RIGHT,
            "top": TOP,
            "bottom": HEIGHT - BOTTOM,
        },
    )


def _points(run: Run) -> list[dict[str, Any]]:
    found = []
    for each in run.json("sweep.json")["runs"]:
        test = each["scores"]["test"]
        found.append(
            {
                "run": name_of(run.folder / each["folder"], run.root),
                "beta": each["beta"],
                "seed": each["seed"],
                "rate": test["rate_nats"],
                "distortion": test["distortion_nats"],
                "elbo": test["negative_elbo_nats"],
                "bits": test["bits_per_dim"],
                "used": test["used_units"],
            }
        )
    return sorted(found, key=lambda point: (point["beta"], point["seed"]))


def _rounded_squares(most: float) -> list[float]:
    """Values evenly spread by their square root, to one digit."""
    spread = (most * (tick / (TICKS - 1)) ** 2 for tick in range(TICKS))
    return sorted({value for value in (float(f"{each:.0e}") for each in spread) if value <= most})


def _whole_steps(low: float, high: float) -> list[int]:
    """Whole multiples of 1, 2 or 5 times a power of ten within two ends."""
    rough = max((high - low) / (TICKS - 1), 1.0)
    power = 10 ** math.floor(math.log10(rough))
    step = next(each * power for each in (1, 2, 5, 10) if each * power >= rough)
    return [step * number for number in range(math.ceil(low / step), math.floor(high / step) + 1)]


class _axis:  # noqa: N801  (used as the function that it is)
    """From a value to a place; `root`: by square roots, since a rate may be 0 and, without its penalty, huge."""

    def __init__(self, values: Sequence[float], start: int, end: int, *, root: bool = False) -> None:
        self.of = math.sqrt if root else float
        self.low, self.start = self.of(min(values)), start
        self.step = (end - start) / ((self.of(max(values)) - self.low) or 1.0)

    def __call__(self, value: float) -> float:
        return self.start + (self.of(value) - self.low) * self.step
