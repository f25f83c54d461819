"""The report of the reproduced original study."""

import json
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, ClassVar

from twofold.engine.files import arrays, saver, table, text
from twofold.page.album import Album
from twofold.page.template import write_page
from twofold.trend.report import figures, maps, wording

Row = dict[str, Any]


def write(folder: Path) -> Path:
    """Draws the figures and writes report.html from the files of a run folder; the same folder gives the same bytes.

    Raises:
        RunFolderError: when a file is missing.
    """
    study, tomorrow = json.loads(text(folder, "study.json")), table(folder, "tomorrow.parquet")
    view, unit = OriginalView(study), wording.unit(study["data"]["step_days"])

    def draw(album: Album) -> dict[str, Any]:
        for varied, measure in product(("length", "start"), view.MEASURES):
            if networks := view.effect(varied, measure):
                drawn = figures.effect(networks, varied, view.MEASURES[measure], unit, zero=measure == "above")
                album.draw(f"effect-{varied}-{measure.replace('_', '-')}", drawn)
        for curves in view.curves:
            for name, row in curves.items():
                album.draw(name, figures.learning(row["curves"], setting(row, unit)))
        clustered = figures.draw_correlation(album, arrays(folder, "arrays.npz").get("correlation"), tomorrow)
        return {"clustered": clustered, "absent": maps.draw_world(album, tomorrow)}

    write_page(
        saver(folder),
        "trend/report/original.html.j2",
        draw,
        view=view,
        study=study,
        when=wording.at(str(tomorrow["target_date"].max()), unit),
        unit=unit,
        setting=setting,
        above=above,
        words=wording,
    )
    return folder / "report.html"


def network(row: Row) -> str:
    """What a network of the grid is called.

    Example:
        >>> network({"cell": "rnn", "layers": 2})
        'RNN, 2 layers'
    """
    layers = f", {row['layers']} layers" if row["layers"] > 1 else ""
    return f"{wording.model(row['cell'])}{layers}"


def setting(row: Row, unit: str = "day") -> str:
    """A row's network, window length and start, as the original's table writes them; `unit` is a step of the data.

    Example:
        >>> setting({"cell": "gru", "layers": 1, "length": 7, "start": 40})
        'GRU, L = 7, from day 40'
    """
    start = f", from {unit} {row['start']}" if row["start"] else ""
    return f"{network(row)}, L = {row['length']}{start}"


def above(row: Row) -> list[float]:
    """Test accuracy minus the share of the majority class, in percentage points, one value per seed.

    Example:
        >>> above({"test_accuracy": [0.75, 0.5], "majority": [0.5, 0.75]})
        [25.0, -25.0]
    """
    both = zip(row["test_accuracy"], row["majority"], strict=True)
    return [100 * (accuracy - majority) for accuracy, majority in both]


@dataclass(frozen=True)
class OriginalView:
    """What the template shows of study.json.

    Attributes:
        study: study.json.
    """

    study: Row

    MEASURES: ClassVar = {"above": "accuracy above “always not up”, points", "test_auc": "ROC AUC on test windows"}

    @property
    def lines(self) -> list[tuple[Row, Row | None, float | None]]:
        """The original's table: a line, the grid's row of its setting where that was run, and the line's gain.

        The gain is in points above the share of the majority class among all windows: the original's split is unknown.
        """
        rows = {setting(row): row for row in self.study["grid"]}
        found: list[tuple[Row, Row | None, float | None]] = []
        for line in self.study["original"]:
            row, percent, gain = rows.get(setting(line)), line["test_percent"], None
            if row and isinstance(percent, int | float):
                up = row["positive"] / row["windows"]
                gain = percent - 100 * max(up, 1 - up)
            found.append((line, row, gain))
        return found

    @property
    def compared(self) -> list[Row]:
        """Rows of the grid that the original's table has too."""
        return [row for _, row, _ in self.lines if row]

    @property
    def gains(self) -> tuple[list[float], list[float]]:
        """Gains over always answering "not up", in points: the original's, and ours in the same settings, by seed."""
        theirs = [gain for _, _, gain in self.lines if gain is not None]
        return theirs, [gain for row in self.compared for gain in above(row)]

    def row(self, length: int, start: int) -> Row | None:
        """The first row of the grid with these windows, None where they were not run."""
        rows = self.study["grid"]
        return next((row for row in rows if (row["length"], row["start"]) == (length, start)), None)

    def effect(self, varied: str, measure: str) -> dict[str, list[tuple[int, list[float]]]]:
        """A measure by `length` (windows from the first date on) or by `start` (windows of 7 dates).

        Returns:
            Network's name -> (length or start, one value per seed), ascending; empty where there is only one start.
        """
        found: dict[str, list[tuple[int, list[float]]]] = {}
        for row in self.study["grid"]:
            if row["start"] == 0 if varied == "length" else row["length"] == 7:
                values = above(row) if measure == "above" else row[measure]
                known = [value for value in values if value is not None]
                found.setdefault(network(row), []).append((row[varied], known))
        return {name: sorted(points) for name, points in found.items() if varied == "length" or len(points) > 1}

    @property
    def curves(self) -> tuple[dict[str, Row], dict[str, Row]]:
        """Rows with curves by their figure's name: those of the original's own windows (or all), and the others."""
        drawn = {f"curves-{index:02}": row for index, row in enumerate(self.study["grid"], 1) if row["curves"]}
        own = {name: row for name, row in drawn.items() if (row["length"], row["start"]) == (7, 0)}
        return own or drawn, {name: row for name, row in drawn.items() if own and name not in own}
