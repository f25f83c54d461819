"""Advice: every option that a refusal or a suspicion names is followed, on the very file, and helps."""

import csv
import io
import re
import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest

from twofold.cli import main
from twofold.counts.config import REPEATED, SourceConfig

Output = pytest.CaptureFixture[str]
Row = Sequence[object]
REGIONS = ("Altmark", "Bergland", "Cusanus", "Dorfen")
DAYS = 50


def count(region: int, day: int, period: float = 23.0) -> int:
    """New cases that rise and fall together, with a little noise; at least 12."""
    return 12 + (region + 1) * round(20 + 15 * (1 - 2 * abs((day % period) / period - 0.5))) + (7 * day + region) % 5


def day(i: int, step: int = 1, start: date = date(2023, 1, 2)) -> date:
    return start + timedelta(days=i * step)


def text(header: Row, rows: Iterable[Row], separator: str = ",") -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=separator, lineterminator="\n").writerows([header, *rows])
    return out.getvalue()


Change = Callable[[int, int], Any]


def long(change: Change = count, header: Row = ("region", "date", "value"), days: int = DAYS, step: int = 1) -> str:
    """A long table; a row whose count is None is left out."""
    cells = ((name, day(i, step), change(r, i)) for r, name in enumerate(REGIONS) for i in range(days))
    return text(header, (row for row in cells if row[2] is not None))


def wide(change: Change = count, front: Row = ("region",), name: Callable[[str], Row] = lambda name: (name,)) -> str:
    rows = ([*name(each), *(change(r, i) for i in range(DAYS))] for r, each in enumerate(REGIONS))
    return text([*front, *(day(i) for i in range(DAYS))], rows)


def total(region: int, i: int) -> int:
    return sum(count(region, each) for each in range(i + 1))


def groups(column: str, levels: Sequence[str], change: Callable[[int, int, str], Any] | None = None) -> str:
    change = change or (lambda r, i, level: count(r, i) + levels.index(level))
    rows = (
        (name, day(i), level, change(r, i, level))
        for r, name in enumerate(REGIONS)
        for i in range(DAYS)
        for level in levels
    )
    return text(("region", "date", column, "value"), rows)


def workbook(path: Path) -> None:
    import xlsxwriter

    with xlsxwriter.Workbook(str(path)) as book:
        for name in ("Cases 2023", "Deaths"):
            sheet = book.add_worksheet(name)
            for i, row in enumerate(csv.reader(io.StringIO(long()))):
                sheet.write_row(i, 0, row)


@dataclass(frozen=True)
class Case:
    """A table that is refused, or suspected.

    Attributes:
        content: its text, or what writes the file.
        fill: words for an option that is named with a placeholder, or with nothing behind it.
        given: options that the user gave.
        suffix: of the file's name.
        helps: some advice leads to a table that is read; else every one leads to another refusal.
    """

    content: str | Callable[[Path], None]
    fill: dict[str, list[str]] = field(default_factory=dict)
    given: tuple[str, ...] = ()
    suffix: str = ".csv"
    helps: bool = True


def years_and_weeks(word: str) -> str:
    rows = ((name, 2023, i + 1, count(r, i)) for r, name in enumerate(REGIONS) for i in range(DAYS))
    return text(("region", "year", word, "value"), rows)


CASES = {
    "suppressed counts": Case(long(lambda r, i: "<5" if i % 7 == r else count(r, i)), {"--source.suppressed": ["2"]}),
    "stars at the first date": Case(
        long(lambda r, i: "*" if i < 2 and r == 1 else count(r, i)), {"--source.suppressed": ["3"]}
    ),
    "a row that is not there": Case(long(lambda r, i: None if (r, i) == (2, 20) else count(r, i))),
    "a date that is not there": Case(long(lambda r, i: None if i == 30 else count(r, i))),
    "a region that starts late": Case(long(lambda r, i: None if r == 3 and i < 18 else count(r, i))),
    "all regions start late but one": Case(long(lambda r, i: None if r and i < 9 * r else count(r, i))),
    "an empty end": Case(long(lambda r, i: "NA" if r < 3 and i >= DAYS - 2 else count(r, i))),
    "gaps everywhere": Case(long(lambda r, i: "" if (i + r) % 3 == 0 else count(r, i))),
    "running totals with gaps": Case(
        wide(lambda r, i: "" if (r, i) in ((1, 9), (2, 11)) else total(r, i)),
    ),
    "interpolated beyond the end": Case(
        long(lambda r, i: "NA" if r == 1 and i > 40 else count(r, i)), given=("--source.missing", "interpolate")
    ),
    "no common dates": Case(
        long(lambda r, i: "NA" if (i + r) % 2 else count(r, i)), given=("--source.missing", "common-dates")
    ),
    "age groups": Case(groups("age", ("0-4", "5-14", "15+"))),
    "age groups with blanks and quotes": Case(groups("age group", ("5 to 14", "it's 15", "< 5 & more"))),
    "age groups with their total": Case(
        groups("age", ("0-14", "15+", "total"), lambda r, i, level: count(r, i) * (2 if level == "total" else 1))
    ),
    "two targets": Case(groups("target", ("wk inc hosp", "wk inc deaths"))),
    "counts beside shares": Case(
        groups(
            "target",
            ("share of visits", "admissions"),
            lambda r, i, level: count(r, i) / (1e3 if level[0] == "s" else 1),
        )
    ),
    "two columns that tell rows apart": Case(
        text(
            ("region", "date", "age", "sex", "value"),
            (
                (name, day(i), age, sex, count(r, i))
                for r, name in enumerate(REGIONS)
                for i in range(DAYS)
                for age in ("young", "old")
                for sex in "mf"
            ),
        )
    ),
    "a filter that keeps too much": Case(
        groups("age", ("0-4", "5-14", "15+")), given=("--source.where", "age=0-4", "--source.where", "age=15+")
    ),
    "provinces of a wide table": Case(
        text(
            ["land", "kreis", *(day(i) for i in range(DAYS))],
            (
                [f"{name} {r % 2}", kreis, *(count(r, i) for i in range(DAYS))]
                for r, name in enumerate(REGIONS)
                for kreis in ("north", "south")
            ),
        ),
        {"--source.region": ["land"]},
    ),
    "month and day could change places": Case(
        text(
            ("region", "date", "value"),
            (
                (name, f"{m}/{d}/2023", count(r, 5 * m + d))
                for r, name in enumerate(REGIONS)
                for m in range(1, 6)
                for d in range(1, 6)
            ),
        ),
        helps=False,  # neither order gives daily or weekly dates
    ),
    "two-digit years that could change places": Case(
        text(
            ("region", "date", "value"),
            ((name, f"0{d}-0{d + 1}-23", count(r, d)) for r, name in enumerate(REGIONS) for d in range(1, 6)),
        ),
        helps=False,
    ),
    "weeks of nobody": Case(years_and_weeks("week")),
    "weeks in one number": Case(
        text(
            ("region", "date", "value"),
            ((name, f"2023{i:02}", count(r, i)) for r, name in enumerate(REGIONS) for i in range(13, DAYS)),
        )
    ),
    "years and months": Case(
        text(
            ("region", "date", "value"),
            ((name, f"2023{i:02}", count(r, i)) for r, name in enumerate(REGIONS) for i in range(1, 13)),
        )
    ),
    "two columns of words": Case(
        text(
            ("town", "clinic", "date", "value"),
            (("ABBC"[r], name, day(i), count(r, i)) for r, name in enumerate(REGIONS) for i in range(DAYS)),
        ),
        {"--source.region": ["clinic"]},
    ),
    "two names of regions in a wide table": Case(
        wide(front=("one", "other"), name=lambda name: (name, f"{name[:2]}{len(name) % 2}")),
        {"--source.region": ["one"]},
    ),
    "two columns of numbers": Case(
        text(
            ("region", "date", "tests", "positive"),
            ((name, day(i), 9 * count(r, i), count(r, i)) for r, name in enumerate(REGIONS) for i in range(DAYS)),
        ),
        {"--source.value": ["positive"]},
    ),
    "two columns of days": Case(
        text(
            ("region", "onset", "sampled", "value"),
            ((name, day(i), day(i + 2), count(r, i)) for r, name in enumerate(REGIONS) for i in range(DAYS)),
        ),
        {"--source.date": ["onset"]},
    ),
    "a column of regions that is a number": Case(
        text(
            ("code", "date", "value"),
            ((r + 1, day(i), count(r, i)) for r in range(len(REGIONS)) for i in range(DAYS)),
        ),
        {"--source.region": ["code"]},
    ),
    "a row a date": Case(
        text(("when", *REGIONS), ((day(i), *(count(r, i) for r in range(len(REGIONS)))) for i in range(DAYS))),
        {"--source.region": ["Altmark"], "--source.value": ["Altmark"]},
    ),
    "a name that is not there": Case(long(), {"--source.region": ["region"]}, ("--source.region", "county")),
    "a date column that is not there": Case(long(), {"--source.date": ["date"]}, ("--source.date", "day")),
    "rates": Case(
        text(
            ("region", "date", "incidence", "reports"),
            ((name, day(i), count(r, i), count(r, i)) for r, name in enumerate(REGIONS) for i in range(DAYS)),
        ),
        {"--source.value": ["reports"]},
        ("--source.value", "incidence"),
    ),
    "a percentage": Case(
        text(
            ("region", "date", "value", "reports"),
            ((name, day(i), f"{count(r, i)}%", count(r, i)) for r, name in enumerate(REGIONS) for i in range(DAYS)),
        ),
        {"--source.value": ["reports"]},
    ),
    "a layout that it has not": Case(wide(), {"--source.layout": ["wide"]}, ("--source.layout", "jhu")),
    "a layout of three header rows": Case(wide(), {"--source.layout": ["wide"]}, ("--source.layout", "original")),
    "a downward correction": Case(long(lambda r, i: -8 if (r, i) == (1, 30) else count(r, i))),
    "a negative running total": Case(
        long(lambda r, i: -8 if (r, i) == (1, 30) else total(r, i)),
        given=("--source.kind", "cumulative"),
        helps=False,  # the negative is then a correction of new cases, whose advice is followed next
    ),
    "a comma or point that parts thousands": Case(long(lambda r, i: f"{count(r, i)}.000")),
    "a comma that parts thousands": Case(long(lambda r, i: f"{count(r, i)},123")),
    "a last date that is 0": Case(
        wide(lambda r, i: 0 if r < 2 and i == DAYS - 1 else total(r, i)), given=("--negatives", "redistribute")
    ),
    "a count that begins anew": Case(
        wide(lambda r, i: total(r, i) - (total(r, 30) if r == 2 and i > 30 else 0)),
        given=("--negatives", "redistribute", "--source.kind", "cumulative"),
    ),
    "sheets": Case(workbook, {"--source.sheet": ["Deaths"]}, suffix=".xlsx"),
    "a sheet that is not there": Case(workbook, {"--source.sheet": ["Deaths"]}, ("--source.sheet", "Cases"), ".xlsx"),
}
HOPELESS = {
    "months": text(
        ("region", "date", "value"),
        ((name, date(2018 + m // 12, 1 + m % 12, 1), count(r, m)) for r, name in enumerate(REGIONS) for m in range(40)),
    ),
    "decimal commas": long(lambda r, i: f"0,{count(r, i):03}"),
    "fractions": long(lambda r, i: count(r, i) / 8),
    "every second week": long(step=14),
    "two dates": long(days=2),
    "the same row twice": long() + f"{REGIONS[0]},{day(3)},5\n",
    "a date that is none": long().replace("2023-01-09", "soon"),
    "a count that is none": long().replace(f"{REGIONS[1]},2023-01-09,", f"{REGIONS[1]},2023-01-09,about "),
    "no header": long().partition("\n")[2],
    "one column": "cases\n1\n2\n3\n",
    "a row cut short": long() + "Altmark\n",
    "a web page": "\n\n<!DOCTYPE html>\n<html><body>Sign in</body></html>\n",
    "nothing": "",
}
SUSPECTED = {
    "weekly reports in a daily table": Case(long(lambda r, i: 7 * count(r, i) if i % 7 == r % 2 else 0, days=3 * DAYS)),
    "running totals taken for new cases": Case(long(total)),
    "new cases taken for running totals": Case(long(), given=("--source.kind", "cumulative")),
    "a last date still being reported": Case(
        text(
            ("region", "date", "value"),
            ((f"place {r}", day(i), count(r, i) // (9 if i == DAYS - 1 else 1)) for r in range(8) for i in range(DAYS)),
        )
    ),
    "a sum kept on request": Case(
        long() + "".join(f"both,{day(i)},{sum(count(r, i) for r in range(len(REGIONS)))}\n" for i in range(DAYS)),
        given=("--source.aggregates", "keep"),
    ),
    "a share of the counts is a total kept on request": Case(
        wide(lambda r, i: sum(count(each, i) for each in range(3)) if r == 3 else count(r, i)),
        given=("--source.aggregates", "keep"),
    ),
}
_TOKEN = re.compile(r"--[a-z][a-z.-]*[a-z]|'(?:[^']|'\"'\"')*'|[^\s();,:]+|[();,:]")
_NAMED = {f"--source.{name.replace('_', '-')}": name for name in SourceConfig.model_fields} | {
    f"--{name.replace('_', '-')}": name for name in ("negatives", "drop_last", "weekly")
}


def takes(option: str, word: str) -> bool:
    """Whether a word can be the option's value; placeholders such as NAME can't."""
    kind = SourceConfig.model_fields[_NAMED[option]].annotation
    if kind is bool or word.startswith("-"):
        return False
    if kind is int:
        return word.isdecimal()
    choices = [value for part in (kind, *get_args(kind)) if get_origin(part) is not None for value in get_args(part)]
    known = [value for value in choices if isinstance(value, str)]
    if known:
        return word in known or (_NAMED[option] == "suppressed" and word.isdecimal())
    return not word.isupper() and re.fullmatch(r"[();,:]", word) is None


def advised(message: str, case: Case, given: Sequence[str]) -> list[list[str]]:
    """The options that a message names, as words; those that follow each other directly belong together."""
    found: list[list[str]] = []
    tokens = _TOKEN.findall(message.replace("\n", " "))
    i, joined = 0, False
    while i < len(tokens):
        option = tokens[i]
        i += 1
        if option not in _NAMED:
            joined = False
            continue
        name, words = _NAMED[option], [option]
        several = SourceConfig.model_fields[name].annotation == tuple[str, ...] and name not in REPEATED
        while i < len(tokens) and takes(
            option, word := "".join(shlex.split(tokens[i]) if "'" in tokens[i] else [tokens[i]])
        ):
            words.append(word)
            i += 1
            if not several:
                break
        if len(words) == 1 and name != "weekly":
            words += case.fill.get(option, [])
        if joined:
            found[-1] += words
        elif (len(words) > 1 or name == "weekly") and not echoes(words, given):
            found.append(words)
            joined = True
    return found


def echoes(words: list[str], given: Sequence[str]) -> bool:
    """Whether the user gave these very words, which a message repeats."""
    return any(list(given[i : i + len(words)]) == words for i in range(len(given)))


def replaced(given: Sequence[str], words: list[str]) -> list[str]:
    """The user's options with advice: another value takes the place of the first."""
    parts: list[list[str]] = []
    for word in given:
        if word.startswith("--"):
            parts.append([])
        parts[-1].append(word)
    return [word for part in parts if part[0] not in words for word in part] + words


def looked(capsys: Output, path: Path, given: Sequence[str]) -> tuple[int, str]:
    """Exit status of `trend look`, and its refusal or what it found."""
    status = main(["trend", "look", str(path), *given])
    shown = capsys.readouterr()
    if status:
        assert status == 2, shown.err
        assert shown.out == ""
        last = shown.err.splitlines()[-1]
        assert last.startswith(f"error: {path}"), shown.err
        return status, last
    return status, shown.out


def write(case: Case, folder: Path) -> Path:
    path = folder / f"counts{case.suffix}"
    if isinstance(case.content, str):
        path.write_text(case.content)
    else:
        case.content(path)
    return path


@pytest.mark.parametrize("name", CASES)
def test_every_option_that_a_refusal_names_helps(name: str, tmp_path: Path, capsys: Output) -> None:
    case = CASES[name]
    path = write(case, tmp_path)
    status, message = looked(capsys, path, case.given)
    assert status == 2, message
    read = 0
    waiting = [(list(case.given), message)]
    for _ in range(3):  # advice on a refusal that advice led to is followed, too
        following = []
        for given, refusal in waiting:
            advice = advised(refusal, case, given)
            assert advice or refusal != message, f"nothing is advised: {refusal}"
            for words in advice:
                status, said = looked(capsys, path, replaced(given, words))
                if status == 0:
                    read += 1
                    continue
                assert said != refusal, (words, said)
                following.append((replaced(given, words), said))
        waiting = following
    assert bool(read) >= case.helps, message


@pytest.mark.parametrize("name", HOPELESS)
def test_where_no_option_helps_none_is_named(name: str, tmp_path: Path, capsys: Output) -> None:
    path = write(Case(HOPELESS[name]), tmp_path)
    status = main(["trend", "look", str(path)])
    last = capsys.readouterr().err.splitlines()[-1]
    assert status == 2
    assert last.startswith(f"error: {path}")
    assert "--" not in last


@pytest.mark.parametrize("name", SUSPECTED)
def test_every_option_that_a_suspicion_names_answers_it(name: str, tmp_path: Path, capsys: Output) -> None:
    case = SUSPECTED[name]
    path = write(case, tmp_path)
    status, said = looked(capsys, path, case.given)
    (suspicion,) = re.findall(r"^SUSPICION: (.*)$", said, re.MULTILINE)
    assert status == 0
    for words in advised(suspicion, case, case.given):
        status, after = looked(capsys, path, replaced(case.given, words))
        assert status == 0
        assert suspicion not in after
    (command,) = re.findall(r"^  twofold trend run --data (.*)$", said, re.MULTILINE)
    _, *proposed = shlex.split(command)
    beyond = next((i for i, word in enumerate(proposed) if word.startswith("--") and word not in _NAMED), None)
    status, after = looked(capsys, path, proposed[:beyond])
    assert status == 0
    assert suspicion not in after


TINY = [
    *("--window.length", "4", "--train.epochs", "1", "--ensemble.seeds", "1", "--ensemble.partners", "logistic"),
    *("--score.bootstrap", "20", "--model.hidden", "3", "--screen.threshold", "None"),
]
ONE_JOB = {"run": ("--train.jobs", "1"), "backtest": ("--jobs", "1", "--walk.warmup", "1", "--last", "1")}
FOLLOWED = "a region that starts late", "age groups", "a downward correction", "weeks of nobody"


@pytest.mark.parametrize("name", FOLLOWED)
@pytest.mark.parametrize("command", ["run", "backtest"])
def test_a_run_gives_the_same_advice_and_takes_it(command: str, name: str, tmp_path: Path, capsys: Output) -> None:
    case = CASES[name]
    path = write(case, tmp_path)
    _, refusal = looked(capsys, path, case.given)
    words = ["trend", command, "--data", str(path), *TINY, *ONE_JOB[command], "--out"]
    assert main([*words, str(tmp_path / "refused")]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == refusal
    advice = advised(refusal, case, ())
    assert main([*words, str(tmp_path / "run"), *advice[0]]) == 0
    assert (tmp_path / "run" / "DONE").exists()
