"""Every command that README.md and docs/ show is run as it stands there, page by page, its output compared.

Fenced blocks of `sh`, of `console` (`$ ` before each command, then what it prints) and of `python`. What takes too long
or needs what isn't here has `<!-- not run: why -->` above its fence: of such commands it is checked that they parse.

Names on the pages that stand for a reader's own data are made here: tables of counts, a folder of images, clones of
hubs.
"""

import contextlib
import io
import re
import shlex
import tomllib
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jaxtyping
import numpy as np
import polars as pl
import pytest
from PIL import Image

from hub import small_hubs
from test_options import EVERYWHERE, options_of
from test_tables_page import districts
from twofold.cli import COMMANDS, main
from twofold.counts.simulate import simulate
from twofold.engine.flags import parse
from vae.small import discs

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"(?:^<!-- not run: ([^\n]*) -->\n)?^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NOT_RUN = 28
"""Blocks that are not run, so that one more is a decision."""
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")


class Block(NamedTuple):
    """A fenced block of a page: its place, the reason for which it isn't run (or empty), its language and its text."""

    place: str
    reason: str
    language: str
    text: str

    @property
    def commands(self) -> list[tuple[list[str], str]]:
        """The words of each command and what is shown of its output."""
        text = self.text.replace("\\\n", " ")
        if self.language == "console":
            return [
                (shlex.split(part.partition("\n")[0], comments=True), part.partition("\n")[2])
                for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]
            ]
        lines = (shlex.split(line, comments=True) for line in text.splitlines())
        return [(words, "") for words in lines if words]


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            f"{page.relative_to(ROOT)}:{text.count(chr(10), 0, found.start(2)) + 1}", found[1] or "", found[2], found[3]
        )
        for found in FENCE.finditer(text)
    ]


BLOCKS = {page.relative_to(ROOT).as_posix(): blocks(page) for page in PAGES}
LANGUAGES = "sh", "console", "python"
SHOWN = {page: [each for each in found if each.language in LANGUAGES] for page, found in BLOCKS.items()}
RUN = [page for page, found in SHOWN.items() if not all(each.reason for each in found)]


# --- what a reader has ---


def _counts(folder: Path) -> None:
    """Daily counts of some simulated countries, and the same with two weeks more."""
    panel = simulate(1)
    some = [row for row, name in enumerate(panel.regions) if name[0] in "BC" and panel.values[row, 100] > 50]
    rows = [
        (panel.regions[row], day, count)
        for row in some
        for day, count in zip(panel.dates[1:].tolist(), np.diff(panel.values[row]).tolist(), strict=True)
    ]
    table = pl.DataFrame(rows, ["region", "date", "cases"], orient="row")
    days = table["date"].unique().sort()
    table.filter(pl.col("date").is_between(days[80], days[185])).write_csv(folder / "cases.csv")
    table.filter(pl.col("date") >= days[80]).write_csv(folder / "newer.csv")
    (folder / "districts.csv").write_text(districts(), encoding="utf-8")


def _images(folder: Path) -> None:
    folder.mkdir()
    for index, picture in enumerate(discs(40, 32)):
        Image.fromarray(picture).save(folder / f"face-{index:02d}.png")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which a reader works."""
    folder = tmp_path_factory.mktemp("home")
    _counts(folder)
    _images(folder / "faces")
    for name, disease in (("FluSight", "flu"), ("covid19", "covid"), ("rsv", "rsv")):
        hub = small_hubs.write_hub(folder / f"{name}-forecast-hub", disease)
        known = pl.col("as_of") < small_hubs.ROUNDS[-1]  # the last round is open
        small_hubs.set_versions(hub, small_hubs.versions(disease).filter(known))
    return folder


# --- what is run ---


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", RUN)
def test_every_command_of_a_page_does_what_it_shows(page: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    monkeypatch.setenv("TWOFOLD_CACHE", str(home / "cache"))
    monkeypatch.setenv("COLUMNS", "120")
    # As a user's process: without the tests' checks of shapes, over which the tracing of an export stumbles.
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    names: dict[str, Any] = {}
    for block in SHOWN[page]:
        if block.reason:
            continue
        if block.language == "python":
            _written(block.place, lambda block=block: exec(compile(block.text, block.place, "exec"), names) or 0)
            continue
        for words, shown in block.commands:
            assert Path(words[0]).name == "twofold", f"{block.place}: {words[0]} can't be run; say why above the block"
            place = f"{block.place}: {shlex.join(words)}"
            status, printed = _written(place, lambda words=words: main(words[1:]))
            assert status == (2 if "error: " in shown else 0), f"{place}: status {status}\n{printed}"
            _require(shown, printed, place)


def _written(place: str, command: Callable[[], int]) -> tuple[int, str]:
    """The status of a command, and what it wrote: errors and notes, then results."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))  # of a terminal's letters
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # what a model says about its scope
            status = command()
    except BaseException as error:
        error.add_note(f"{place}\n{_text(err)}{_text(out)}")
        raise
    return status, _text(err) + _text(out)


def _text(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()


def _require(shown: str, printed: str, place: str) -> None:
    """What a page shows was printed: word by word, in order; a line of `…` stands for what is left out.

    Trainings end a little differently on other machines, so numbers may differ by a tenth or by .05.
    """
    words, at = _words(printed), 0
    for part in re.split(r"^…$", shown, flags=re.MULTILINE):
        wanted = _words(part)
        starts = range(at, len(words) - len(wanted) + 1)
        found = next((i for i in starts if all(map(_alike, wanted, words[i : i + len(wanted)]))), None)
        assert found is not None, f"{place}: was not printed:\n{part}\nbut:\n{printed}"
        at = found + len(wanted)


def _words(text: str) -> list[str]:
    return re.sub(r"[─-╿]", " ", text).split()


def _alike(shown: str, printed: str) -> bool:
    if NUMBER.sub("#", shown) != NUMBER.sub("#", printed):
        return False
    pairs = zip(NUMBER.findall(shown), NUMBER.findall(printed), strict=True)
    values = ([float(number.replace(",", "")) for number in pair] for pair in pairs)
    return all(abs(one - other) <= max(0.1, 0.25 * abs(one)) for one, other in values)  # processors round differently


# --- what is only parsed ---


class ParsedError(BaseException):
    """Ends a command when its options are read; no `Exception`, so that nothing handles it."""


@pytest.fixture
def parsed_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def parse_and_stop(*arguments: Any, **more: Any) -> None:
        parse(*arguments, **more)
        raise ParsedError

    for module in ("demo", *(f"{study}.commands" for study in ("runs", "trend", "hub", "vae"))):
        monkeypatch.setattr(f"twofold.{module}.parse", parse_and_stop)


@pytest.mark.usefixtures("parsed_only")
def test_commands_that_are_not_run_parse() -> None:
    for block in _not_run():
        for words, _ in block.commands:
            given = [word for word in words if not re.match(r"[A-Z_]+=", word)]
            place = f"{block.place}: {shlex.join(words)}"
            known, _ = _written(place, lambda given=given: _parses(given))
            assert known, place


def _not_run() -> Iterator[Block]:
    return (block for found in SHOWN.values() for block in found if block.reason)


def _parses(words: list[str]) -> bool:
    """Whether a command and its options exist."""
    if words[0] == "torchrun":
        words = words[words.index("-m") + 1 :]
    match words:
        case ["twofold", *rest]:
            with pytest.raises(ParsedError):
                main(rest)
            return True
        case ["make", target, *_]:
            return re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE) is not None
        case ["python", script, *rest]:
            text = (ROOT / script).read_text()
            return all(option in text for option in rest if option.startswith("--"))
        case ["pip", "install", "-c", constraints, "."]:
            return (ROOT / constraints).exists()
        case ["dask", "scheduler" | "worker", *_] | ["git", "-C", _, "pull"] | ["git", "clone", _]:
            return True
        case _:
            return False


def test_blocks_that_are_not_run_say_why_and_are_counted() -> None:
    reasons = [block.reason for block in _not_run()]
    assert len(reasons) == NOT_RUN
    assert all(len(reason.split()) >= 3 for reason in reasons)


def test_no_block_hides_a_command() -> None:
    commands = r"^(\$ |twofold |make |python |pip )"
    hidden = [
        each.place
        for found in BLOCKS.values()
        for each in found
        if each.language not in LANGUAGES and re.search(commands, each.text, re.MULTILINE)
    ]
    assert hidden == []
    marks = sum(page.read_text(encoding="utf-8").count("<!-- not run") for page in PAGES)
    assert marks == NOT_RUN  # none stands where no block follows


# --- what is named in a sentence ---


def test_commands_in_sentences_have_the_options_that_they_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    spans = [
        (page.name, span)
        for page in PAGES
        if page.name != "log.md"  # it tells of commands as they were
        for span in re.findall(
            r"`((?:twofold |runs |trend |hub |vae )[^`]*)`", FENCE.sub("", page.read_text(encoding="utf-8"))
        )
    ]
    known: dict[tuple[str, ...], set[str]] = {}
    for page, span in spans:
        words = span.removeprefix("twofold ").split()
        command = next((key for key in COMMANDS if tuple(words[: len(key)]) == key), None)
        whole = len(words) > 1 and not words[1].startswith("-")  # "`trend predict`", and not the study "`trend`"
        assert command or not whole or words[0] == "COMMAND", f"{page}: {span}"
        if command and "--" in span:
            options = known.setdefault(command, options_of(command)) | EVERYWHERE
            assert set(re.findall(r"(?<!\S)--[a-z][a-z.-]*", span)) <= options, f"{page}: {span}"
    assert len(spans) > 50


def test_the_table_of_commands_is_the_packages() -> None:
    rows = re.findall(r"^\| `(.*?)` \| (.*) \|$", (ROOT / "docs/reference/commands.md").read_text(), re.MULTILINE)
    assert dict(rows) == {" ".join(words): command.help for words, command in COMMANDS.items()}


def test_scripts_extras_and_files_that_are_named_exist() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for page in PAGES:
        if page.name == "log.md":
            continue
        text = page.read_text(encoding="utf-8")
        for path in re.findall(r"\b(?:bench|src|docs|tests)/[\w/.-]*\.(?:py|toml|md|txt)\b", text):
            assert (ROOT / path).exists(), f"{page.name}: {path}"
        for given in re.findall(r"twofold\[([\w,]+)\]", text):
            assert set(given.split(",")) <= set(extras), f"{page.name}: {given}"


def test_the_links_of_the_pages_outside_the_site_lead_somewhere() -> None:
    """Those of docs/ are checked where the site is built."""
    for name in ("README.md", "CONTRIBUTING.md"):
        for target in re.findall(r"\]\(([^)#:]+)\)|src=\"([^\"]+)\"", (ROOT / name).read_text(encoding="utf-8")):
            assert (ROOT / "".join(target)).exists(), f"{name}: {target}"


def test_every_page_stands_in_the_contents() -> None:
    named = set(re.findall(r": ([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE))
    assert named == {path.relative_to(ROOT / "docs").as_posix() for path in PAGES[1:]}
