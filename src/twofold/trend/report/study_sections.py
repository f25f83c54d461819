"""Sections of the study's report: the original's figures beside ours, and what they hide."""

from collections.abc import Sequence

from twofold.page import numbers
from twofold.page.blocks import Column, Section, bullets, callout, cards, paragraph, table
from twofold.page.html import Html, join, tag
from twofold.page.numbers import count, percent, spread
from twofold.trend.report.grid_sections import one_window
from twofold.trend.report.original_rows import Row, above, gain, setting


def verdict_section(study: Row) -> Section:
    """The study in one sentence and its key figures."""
    rows = {setting(row): row for row in study["grid"]}
    compared = [(line, rows[line["setting"]]) for line in study["original"] if line["setting"] in rows]
    gains = [value for _, row in compared for value in above(row)]
    theirs = [gained for line, row in compared if (gained := _original_gain(line, row)) is not None]
    sentence = (
        f"Always answering “not up” is right in {percent(study['always_not_up'])} of the windows of 7 days. "
        f"Against that rule the original's networks gain {_range(theirs)} points, ours {_range(gains)} over all seeds."
    )
    zero = study["zero"]
    items = [
        (
            "All-zero windows",
            percent(zero["share_all_zero"]),
            "",
            f"of which {percent(zero['share_up_all_zero'])} go up",
        ),
        ("Majority, active windows", percent(zero["majority_active"]), "", "the commoner answer where there are cases"),
        ("Set C", f"{study['screen']['selected']} of {study['screen']['regions']}", "", "chosen on all days"),
        *(_card(row) for _, row in compared[:3]),
    ]
    parts = [callout(paragraph(sentence, kind="lead")), cards(items)]
    return Section("verdict", "The short answer", join(parts))


def _card(row: Row) -> tuple[str, str, str, str]:
    mean, _, deviation = spread(row["test_accuracy"]).partition(" ± ")
    ends = f"± {deviation} over seeds" if deviation else ""
    return f"{setting(row)}, test accuracy", f"{mean} %", ends, f"{gain(row)} points against always “not up”"


def _range(values: Sequence[float]) -> str:
    if not values:
        return numbers.DASH
    low, high = numbers.signed(min(values), 1), numbers.signed(max(values), 1)
    return low if low == high else f"{low} to {high}"


def _original_gain(line: Row, row: Row) -> float | None:
    """Points above the commoner answer over all windows: the original's own split is not known."""
    if not isinstance(line["test_percent"], int | float):
        return None
    up = row["positive"] / row["windows"]
    return line["test_percent"] - 100 * max(up, 1 - up)


def original_section(study: Row) -> Section:
    """The original's table, with our mean and spread over seeds beside it."""
    rows = {setting(row): row for row in study["grid"]}
    columns = [
        Column("Setting", "left"),
        Column("Original train, %"),
        Column("Original test, %"),
        Column("Original gain", hint="Test accuracy minus the commoner answer's share of all windows, points"),
        Column("Ours train, %"),
        Column("Ours test, %"),
        Column("Always “not up”, %", hint="Share of the commoner class in the test windows"),
        Column("Our gain", hint="Test accuracy minus the share of the commoner class of the same split"),
        Column("ROC AUC ↑", hint="1 is perfect, 0.5 is chance"),
    ]
    lines = [_beside(line, rows.get(line["setting"])) for line in study["original"]]
    words = paragraph(
        "Ours: mean ± standard deviation over seeds, each with its own random split. The gain is what a network "
        "adds to the rule that always answers “not up”; accuracy alone hides it."
    )
    return Section(
        "original", "The original's table beside ours", join([words, table(columns, lines, "Accuracy by setting")])
    )


def _beside(line: Row, row: Row | None) -> list[str]:
    theirs = [
        _reported(line["train_percent"], line["train_count"]),
        _reported(line["test_percent"], line["test_count"]),
    ]
    if row is None:
        return [line["setting"], *theirs, *[numbers.DASH] * 6]
    return [
        line["setting"],
        *theirs,
        numbers.signed(_original_gain(line, row), 1),
        spread(row["train_accuracy"]),
        spread(row["test_accuracy"]),
        spread(row["majority"]),
        gain(row),
        spread(row["test_auc"], 3, 1.0),
    ]


def _reported(value: float | str | None, counted: str | None) -> Html:
    text = value if isinstance(value, str) else numbers.score(value, 3)
    return join([text, tag("small", counted)]) if counted else join([text])


def steps_section(study: Row) -> Section:
    """Every step of the original, what it said and what comes out here."""
    columns = [Column("Step", "left"), Column("The original", "left"), Column("Here", "left")]
    rows = [[name, theirs, ours] for name, theirs, ours in _steps(study)]
    return Section("steps", "Line by line", table(columns, rows, "Every step of the original and what comes out here"))


def _steps(study: Row) -> list[tuple[str, str, str]]:
    data, screen = study["data"], study["screen"]
    seven, three, late = (_windows(study, *key) for key in ((7, 0), (3, 0), (7, 40)))
    train_days = screen["train_days"]
    return [
        (
            "Data",
            "185 places, 2020-01-22 to 2020-04-12",
            f"{data['regions']} regions, {data['dates']} dates, {data['first']} to {data['last']}",
        ),
        (
            "Correlation",
            "heatmap of all countries and of the first 10",
            "the same, on daily increments, not on running totals; in file order and clustered",
        ),
        (
            "Set C",
            "143 countries with a correlation above 0.7 with at least one other",
            f"{screen['selected']} of {screen['regions']}; China {screen['china']}. The first "
            f"{train_days['days']} days alone choose {train_days['selected']}, {train_days['common']} of them the same",
        ),
        ("Windows, L = 7", "10,582", _counted(seven, "windows")),
        ("Labels", "2,708 up, 7,874 not (the two swapped in its text)", _labels(seven)),
        ("Split", "random, 8,465 and 2,117", f"{_counted(seven, 'train')} and {_counted(seven, 'test')}"),
        ("Interval, L = 3", "11,154 windows; counts printed for it are those of L = 14", _labels(three)),
        ("Start, day 40", "4,862 windows, 2,221 up", _labels(late)),
        ("One window a country", "143 samples, test accuracy about 55 %", one_window(study["one_window"])),
        ("Hyper-parameters", "no clear effect", _trials_words(study["trials"])),
        ("China", "outside C; no effect on accuracy", _china_words(study["china"])),
        ("Map", "probability of each country, by pygal", "the same, with the places that pygal lacks listed"),
    ]


def _windows(study: Row, length: int, start: int) -> Row | None:
    return next((row for row in study["grid"] if (row["length"], row["start"]) == (length, start)), None)


def _counted(row: Row | None, key: str) -> str:
    return count(row[key]) if row else numbers.DASH


def _labels(row: Row | None) -> str:
    if row is None:
        return numbers.DASH
    return (
        f"{count(row['windows'])} windows: {count(row['positive'])} up, {count(row['windows'] - row['positive'])} not"
    )


def _trials_words(trials: Sequence[Row]) -> str:
    means = [sum(trial["test_accuracy"]) / len(trial["test_accuracy"]) for trial in trials if trial["test_accuracy"]]
    if not means:
        return numbers.DASH
    return f"{len(trials)} settings, mean test accuracy {percent(min(means))} to {percent(max(means))}"


def _china_words(china: Row | None) -> str:
    if china is None:
        return "not in the data"
    both = ", ".join(
        f"{name} it {spread(china[name]['test_accuracy'])}\N{NO-BREAK SPACE}%" for name in ("without", "with")
    )
    return f"largest correlation {numbers.score(china['correlation_max'], 2)}; test accuracy {both}"


def errors_section(study: Row) -> Section:
    """What the original got wrong or did not see, by figures."""
    columns = [Column("The original", "left"), Column("What is the case", "left"), Column("Figure", "left")]
    rows = [[line["claim"], line["finding"], line["figure"]] for line in study["errors"]]
    return Section("errors", "Where the original errs", table(columns, rows, "Each claim and what the data says"))


def meaning_section(study: Row) -> Section:
    """What may be concluded, and what may not."""
    zero = study["zero"]
    items = [
        f"{percent(zero['share_all_zero'])} of the windows of 7 days hold no case and "
        f"{percent(zero['share_up_all_zero'])} of those go up, so a high accuracy is cheap: always answering “not "
        f"up” gets {percent(study['always_not_up'])}. Where there are cases, the commoner answer is right in "
        f"{percent(zero['majority_active'])} only.",
        "A random split of overlapping windows leaks: neighbours of every test window are trained on. The "
        "temporal split shows what is left on days to come.",
        "C was chosen on all days, as in the original, which looks ahead.",
        "A tie is not up: a low probability means “not more”, not “fewer”.",
        "It says whether more cases will be reported at the next step, not how large the epidemic will get.",
    ]
    if study["simulated"]:
        items.insert(0, "The data is simulated: the figures show that the method runs, nothing about any real place.")
    return Section("meaning", "What this means and what it does not", bullets(items))
