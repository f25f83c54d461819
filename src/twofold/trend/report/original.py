"""The page of the original study: a folder's files in, figures and one self-contained report.html out."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twofold.engine.files import arrays, saver, table, text, write_text
from twofold.page.album import Album
from twofold.page.drawing import style
from twofold.page.template import render
from twofold.trend.report import figures, maps, wording

Row = dict[str, Any]


def write(folder: Path) -> Path:
    """Draws the figures and writes report.html; fits nothing and reads only what the study wrote.

    The same folder gives the same bytes.

    Args:
        folder: holds study.json, arrays.npz and tomorrow.parquet.

    Returns:
        The path of report.html.

    Raises:
        RunFolderError: when one of the files is missing.
    """
    study, tomorrow = json.loads(text(folder, "study.json")), table(folder, "tomorrow.parquet")
    view = OriginalView(study)
    album = Album(saver(folder))
    with style():
        for varied in view.varied:
            for measure, label in view.MEASURES:
                drawn = figures.effect(view.effect(varied, measure), varied, label, zero=measure == "above")
                album.draw(f"effect-{varied}-{measure.replace('_', '-')}", drawn)
        for name, row in view.curves.items():
            album.draw(name, figures.learning(row["curves"], setting(row)))
        clustered = figures.draw_correlation(album, arrays(folder, "arrays.npz")["correlation"], tomorrow)
    page = render(
        "trend/report/original.html.j2",
        album,
        view=view,
        study=study,
        clustered=clustered,
        day=tomorrow["target_date"].max(),
        absent=maps.draw_world(album, tomorrow),
        setting=setting,
        above=above,
        words=wording,
    )
    target = folder / "report.html"
    write_text(target, page)
    return target


def network(row: Row) -> str:
    """What a network of the grid is called.

    Example:
        >>> network({"cell": "rnn", "layers": 2})
        'RNN, 2 layers'
    """
    layers = f", {row['layers']} layers" if row["layers"] > 1 else ""
    return f"{wording.model(row['cell'])}{layers}"


def setting(row: Row) -> str:
    """A row of the grid in the original's words, by which its own table names rows.

    Example:
        >>> setting({"cell": "gru", "layers": 1, "length": 7, "start": 40})
        'GRU, L = 7, from day 40'
    """
    start = f", from day {row['start']}" if row["start"] else ""
    return f"{network(row)}, L = {row['length']}{start}"


def above(row: Row) -> list[float]:
    """Test accuracy minus the majority's share, in percentage points, a value a seed.

    Example:
        >>> above({"test_accuracy": [0.75, 0.5], "majority": [0.5, 0.75]})
        [25.0, -25.0]
    """
    both = zip(row["test_accuracy"], row["majority"], strict=True)
    return [100 * (accuracy - majority) for accuracy, majority in both]


@dataclass(frozen=True)
class Line:
    """A line of the original's table beside ours.

    Attributes:
        theirs: what the original reported.
        ours: the grid's row of the same setting, None where that was not run.
    """

    theirs: Row
    ours: Row | None

    @property
    def their_gain(self) -> float | None:
        """Points above the commoner answer over all windows: the original's own split is not known."""
        percent = self.theirs["test_percent"]
        if self.ours is None or not isinstance(percent, int | float):
            return None
        up = self.ours["positive"] / self.ours["windows"]
        return percent - 100 * max(up, 1 - up)


@dataclass(frozen=True)
class OriginalView:
    """What the template shows of study.json.

    Attributes:
        study: study.json.
    """

    study: Row

    MEASURES = (("above", "accuracy above “always not up”, points"), ("test_auc", "ROC AUC on test windows"))

    @property
    def lines(self) -> list[Line]:
        """The original's table beside ours."""
        rows = {setting(row): row for row in self.study["grid"]}
        return [Line(line, rows.get(line["setting"])) for line in self.study["original"]]

    @property
    def compared(self) -> list[Row]:
        """The grid's rows of settings that the original reported."""
        return [line.ours for line in self.lines if line.ours]

    @property
    def their_gains(self) -> list[float]:
        """The original's gains, where it reported an accuracy and the setting was run here."""
        return [line.their_gain for line in self.lines if line.their_gain is not None]

    @property
    def our_gains(self) -> list[float]:
        """Ours in the same settings, a value a seed."""
        return [gain for row in self.compared for gain in above(row)]

    def row(self, length: int, start: int) -> Row | None:
        """The first row of the grid with these windows, None where they were not run."""
        rows = self.study["grid"]
        return next((row for row in rows if (row["length"], row["start"]) == (length, start)), None)

    @property
    def trial_accuracies(self) -> list[float]:
        """Mean test accuracy of each trial."""
        accuracies = [trial["test_accuracy"] for trial in self.study["trials"]]
        return [sum(each) / len(each) for each in accuracies if each]

    @property
    def trials(self) -> list[Row]:
        """Trials as rows of the grid, whose majority stands once a seed."""
        return [row | {"majority": [row["majority"]] * len(row["test_accuracy"])} for row in self.study["trials"]]

    @property
    def tested_in_time(self) -> list[Row]:
        """Rows of the grid whose networks were tested on the last days too."""
        return [row for row in self.study["grid"] if row["temporal"]]

    @property
    def varied(self) -> list[str]:
        """What is drawn: the effect of the windows' length, and of their start where there are several."""
        return ["length", "start"] if len({row["start"] for row in self.study["grid"]}) > 1 else ["length"]

    def effect(self, varied: str, measure: str) -> dict[str, list[tuple[int, list[float]]]]:
        """A measure of windows from the first day on by `length`, or of windows of 7 days by `start`.

        Returns:
            Network's name -> (length or start, a value a seed, undefined ones left out), ascending.
        """
        found: dict[str, list[tuple[int, list[float]]]] = {}
        for row in self.study["grid"]:
            if row["start"] == 0 if varied == "length" else row["length"] == 7:
                values = above(row) if measure == "above" else row[measure]
                known = [value for value in values if value is not None]
                found.setdefault(network(row), []).append((row[varied], known))
        return {name: sorted(points) for name, points in found.items() if varied == "length" or len(points) > 1}

    @property
    def curves(self) -> dict[str, Row]:
        """Rows of the grid that have curves, by the name of their figure."""
        return {f"curves-{index + 1:02}": row for index, row in enumerate(self.study["grid"]) if row["curves"]}

    @property
    def curves_shown(self) -> dict[str, Row]:
        """The curves of the original's own windows; all of them where those have none."""
        own = {name: row for name, row in self.curves.items() if (row["length"], row["start"]) == (7, 0)}
        return own or self.curves

    @property
    def curves_folded(self) -> dict[str, Row]:
        """The other curves."""
        return {name: row for name, row in self.curves.items() if name not in self.curves_shown}
