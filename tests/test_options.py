"""Every option that a text of the package names is one that the commands which may print it have."""

import ast
import contextlib
import fnmatch
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import twofold
from twofold.cli import COMMANDS, main

SOURCE = Path(twofold.__file__).parent
OPTION = re.compile(r"(?<![\w<(!-])--[a-z*][a-z0-9.*-]*[a-z0-9*]")
TREND = tuple(words for words in COMMANDS if words[0] == "trend")
HUB = tuple(words for words in COMMANDS if words[0] == "hub")
VAE = tuple(words for words in COMMANDS if words[0] == "vae")
RUNS = tuple(words for words in COMMANDS if words[0] == "runs")
ROOMS = {"runs": RUNS, "counts": TREND, "trend": TREND, "hub": HUB, "vae": VAE}
EVERYWHERE = {"--help", "--version", "--completion"}
Options = dict[tuple[str, ...], set[str]]


def options_of(words: tuple[str, ...]) -> set[str]:
    """The options of a command, from the lines of its help that begin with one."""
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown), pytest.raises(SystemExit):
        main([*words, "--help"])
    lines = re.findall(r"^[ │|] (-.*)$", shown.getvalue(), re.MULTILINE)
    return {option for line in lines for option in re.findall(r"(?<!\S)--[a-z][a-z0-9.-]*", line)}


@pytest.fixture(scope="module")
def options() -> Options:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "100")  # wider help has several columns
        return {words: options_of(words) for words in COMMANDS}


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """The strings of a module with their lines; what an f-string fills in stands as `*`. A template is one text.

    Commands of the bench, which docstrings quote, are none of the package.
    """
    if path.suffix != ".py":
        # Custom properties of CSS look like options.
        yield 1, re.sub(r"var\(--[a-z-]+\)|--[a-z-]+(?=:)", "", path.read_text())
        return
    waiting: list[ast.AST] = [ast.parse(path.read_text())]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else "*" for part in node.values)
            yield node.lineno, "".join(map(str, parts))
            waiting += [part.value for part in node.values if isinstance(part, ast.FormattedValue)]
        elif isinstance(node, ast.Constant):
            if isinstance(node.value, str):
                yield node.lineno, node.value
        else:
            waiting += ast.iter_child_nodes(node)


def named(room: str) -> dict[str, list[str]]:
    """Options named in a room's texts, with the places."""
    found: dict[str, list[str]] = {}
    files = [path for path in SOURCE.rglob("*") if path.suffix in (".py", ".j2")]
    for path in files:
        parts = path.relative_to(SOURCE).parts
        if (parts[0] if len(parts) > 1 else "") != room:
            continue
        for line, text in texts(path):
            for option in OPTION.findall(re.sub(r"`bench/[^`]*`", "", text)):
                if option not in EVERYWHERE and option.strip("-*."):
                    found.setdefault(option, []).append(f"{path.relative_to(SOURCE)}:{line}")
    return found


def test_the_help_of_a_command_names_its_options(options: Options) -> None:
    assert {"--data", "--source.sum-over", "--negatives", "--window.length"} <= options["trend", "run"]
    assert {"--source.sum-over", "--json", "--no-weekly"} <= options["trend", "look"]
    assert "--data" not in options["trend", "look"]
    assert {"--objective.beta", "--per-image"} <= options["vae", "run"] | options["vae", "score"]


def test_options_named_by_the_readers_are_those_of_every_command_that_reads(options: Options) -> None:
    wrong = {
        f"{option}: not of {' '.join(words)}": places
        for option, places in named("counts").items()
        for words in TREND
        if not fnmatch.filter(options[words], option)
    }
    assert len(named("counts")) >= 20
    assert wrong == {}


@pytest.mark.parametrize("room", ["trend", "hub", "vae", "runs", "engine", "page", "scoring", "tune", ""])
def test_options_named_in_a_room_are_those_of_its_commands(room: str, options: Options) -> None:
    known = set().union(*(options[words] for words in ROOMS.get(room, COMMANDS)))
    wrong = {option: places for option, places in named(room).items() if not fnmatch.filter(known, option)}
    assert wrong == {}
