"""Sections of the study's report on the grid of runs: length, start, curves, trials, China."""

from collections.abc import Sequence

from twofold.page import numbers
from twofold.page.album import Album
from twofold.page.blocks import Column, Section, details, gallery, paragraph, table
from twofold.page.html import Html, join
from twofold.page.numbers import count, percent, spread
from twofold.trend.report import figures, study_figures
from twofold.trend.report.original_rows import Row, gain, network, seeds, setting


def one_window(block: Row) -> str:
    """The first try, one window a country, in words."""
    return (
        f"{count(block['train'])} and {count(block['test'])} windows, test accuracy "
        f"{spread(block['test_accuracy'])}\N{NO-BREAK SPACE}%, majority {spread(block['majority'])}\N{NO-BREAK SPACE}%"
    )


def grid_section(study: Row, album: Album) -> Section:
    """The whole grid, and what length and start change."""
    parts: list[str] = [
        paragraph(
            "Each filled mark is a seed, each open one their mean. On the line at 0 a network adds nothing to always "
            "answering “not up”."
        )
    ]
    plain = _networks([row for row in study["grid"] if not row["start"]], "length")
    pictures = [_effect(album, plain, measure, "length") for measure in study_figures.MEASURES]
    starts = {row["start"] for row in study["grid"]}
    if len(starts) > 1:
        seven = _networks([row for row in study["grid"] if row["length"] == 7], "start")
        seven = {name: rows for name, rows in seven.items() if len(rows) > 1}
        pictures += [_effect(album, seven, measure, "start") for measure in study_figures.MEASURES]
    parts += [gallery(pictures), _random_table(study["grid"]), _temporal_table(study["grid"])]
    return Section("grid", "What the length and the start change", join(parts))


def _networks(rows: Sequence[Row], key: str) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: row[key]):
        found.setdefault(network(row), []).append(row)
    order = list(dict.fromkeys(network(row) for row in rows))
    return {name: found[name] for name in order}


def _effect(album: Album, networks: dict[str, list[Row]], measure: str, key: str) -> Html:
    draw = study_figures.by_length if key == "length" else study_figures.by_start
    label = study_figures.MEASURES[measure]
    told = "; ".join(f"{name} {_told(rows, measure, key)}" for name, rows in networks.items())
    words = "the length of the window L" if key == "length" else "the first day, at L = 7"
    capital = label[:1].upper() + label[1:]
    return album.add(
        f"effect-{key}-{measure.replace('_', '-')}",
        draw(networks, measure),
        f"{capital}, by {words}: {told}.",
        f"{capital}, by {words}, random splits; the line joins the means.",
    )


def _told(rows: Sequence[Row], measure: str, key: str) -> str:
    digits = 1 if measure == "above" else 3
    return ", ".join(f"{row[key]}: {spread(seeds(row, measure), digits, 1.0)}" for row in rows)


def _random_table(grid: Sequence[Row]) -> Html:
    columns = [Column("Setting", "left"), *(Column(name) for name in ("Windows", "Up", "Train", "Test"))]
    columns += [Column(name) for name in ("Train, %", "Test, %", "Always “not up”, %", "Gain, points", "ROC AUC ↑")]
    rows = [
        [
            setting(row),
            *(count(row[key]) for key in ("windows", "positive", "train", "test")),
            spread(row["train_accuracy"]),
            spread(row["test_accuracy"]),
            spread(row["majority"]),
            gain(row),
            spread(row["test_auc"], 3, 1.0),
        ]
        for row in grid
    ]
    return table(columns, rows, "Random splits, as in the original: mean ± standard deviation over seeds")


def _temporal_table(grid: Sequence[Row]) -> Html:
    tested = [row for row in grid if row["temporal"]]
    if not tested:
        return Html("")
    columns = [Column("Setting", "left"), Column("Test, %"), Column("Always “not up”, %"), Column("Gain, points")]
    columns += [Column("ROC AUC ↑"), Column("Brier skill ↑", hint="0 is no better than the base rate")]
    rows = [
        [
            setting(row),
            spread(row["temporal"]["test_accuracy"]),
            spread(row["temporal"]["majority"]),
            gain(row["temporal"]),
            spread(row["temporal"]["test_auc"], 3, 1.0),
            spread(row["temporal"]["brier_skill"], 3, 1.0),
        ]
        for row in tested
    ]
    return table(columns, rows, "The same networks tested on the last days, after all they were trained on")


def curves_section(study: Row, album: Album) -> Section:
    """Loss and accuracy by epoch."""
    drawn = [(row, _curve(row, album, index)) for index, row in enumerate(study["grid"]) if row["curves"]]
    first = [picture for row, picture in drawn if (row["length"], row["start"]) == (7, 0)]
    others = [picture for row, picture in drawn if (row["length"], row["start"]) != (7, 0)]
    parts: list[str] = [paragraph("The first seed of each setting, random split, train and test after every epoch.")]
    parts.append(gallery(first or others))
    if first and others:
        parts.append(details("The other settings", gallery(others)))
    return Section("curves", "Loss and accuracy by epoch", join(parts))


def _curve(row: Row, album: Album, index: int) -> Html:
    last = row["curves"][-1]
    caption = (
        f"{setting(row)}: after epoch {last['epoch']} train accuracy {percent(last['train_accuracy'])}, test accuracy "
        f"{percent(last['test_accuracy'])}."
    )
    drawn = figures.learning(row["curves"], setting(row))
    return album.add(f"curves-{index + 1:02}", drawn, f"Loss and accuracy by epoch. {caption}", caption)


def trials_section(study: Row) -> Section:
    """One window a country, the hyper-parameter trials, with and without China."""
    columns = [Column("Trial", "left"), *(Column(name) for name in ("Epochs", "Batch", "Hidden", "Layers"))]
    columns += [Column("Test, %"), Column("Gain, points"), Column("Seconds", hint="Wall-clock time of one training")]
    rows = [
        [
            trial["setting"],
            *(count(trial[key]) for key in ("epochs", "batch_size", "hidden", "layers")),
            spread(trial["test_accuracy"]),
            _trial_gain(trial),
            numbers.score(trial["seconds"], 1),
        ]
        for trial in study["trials"]
    ]
    parts = [
        table(columns, rows, "Hyper-parameter trials"),
        paragraph(f"One window a country: {one_window(study['one_window'])}."),
        *(_china(study["china"], study["screen"]["china"]) if study["china"] else []),
    ]
    return Section("trials", "Trials: settings, one window a country, China", join(parts))


def _trial_gain(trial: Row) -> str:
    share = trial.get("majority")
    if share is None:
        return numbers.DASH
    return gain({"test_accuracy": trial["test_accuracy"], "majority": [share] * len(trial["test_accuracy"])})


def _china(china: Row, where: str) -> list[Html]:
    return [
        _china_table(china),
        paragraph(
            f"China is {where}: its correlation with another country is "
            f"{numbers.score(china['correlation_mean'], 2)} on average and "
            f"{numbers.score(china['correlation_max'], 2)} at most."
        ),
    ]


def _china_table(china: Row) -> Html:
    columns = [
        Column("China", "left"),
        Column("Windows"),
        Column("Test, %"),
        Column("Always “not up”, %"),
        Column("Gain, points"),
    ]
    rows = [
        [
            name,
            count(china[name]["windows"]),
            spread(china[name]["test_accuracy"]),
            spread(china[name]["majority"]),
            gain(china[name]),
        ]
        for name in ("without", "with")
    ]
    return table(columns, rows, "With and without China")
