"""The command tree: dispatch, exit status of errors, and the start-up cost of help."""

import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from twofold import __version__, cli
from twofold.engine.errors import DataError

COMMAND = [sys.executable, "-m", "twofold"]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[list[str]], int]], None]:
    """Puts a function in the table as `twofold trial`."""

    def put(function: Callable[[list[str]], int]) -> None:
        monkeypatch.setitem(sys.modules, "twofold.trial", SimpleNamespace(trial=function))
        monkeypatch.setitem(cli.COMMANDS, ("trial",), cli.Command("trial:trial", "a trial"))

    return put


@pytest.mark.parametrize("words", list(cli.COMMANDS), ids=" ".join)
def test_every_command_of_the_table_can_be_loaded(words: tuple[str, ...]) -> None:
    assert callable(cli.COMMANDS[words].load())


@pytest.mark.parametrize("words", list(cli.COMMANDS), ids=" ".join)
def test_every_command_explains_itself(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([*words, "--help"])
    assert ended.value.code == 0
    assert f"twofold {' '.join(words)}" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]], ids=str)
def test_the_overview_lists_every_command(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(arguments) == 0
    shown = capsys.readouterr().out
    for words, command in cli.COMMANDS.items():
        assert f"twofold {' '.join(words)} " in shown
        assert command.help in shown
    for status in (0, cli.INTERNAL_ERROR, cli.USER_ERROR, cli.INTERRUPTED, cli.BROKEN_PIPE):
        assert re.search(rf"[:;] {status} ", " ".join(shown.partition("Exit status")[2].split()))
    assert all(f"--completion {shell} >" in shown for shell in ("bash", "zsh", "fish"))


@pytest.mark.parametrize("arguments", [["trend"], ["trend", "--help"], ["trend", "-h"]], ids=str)
def test_a_group_lists_its_own_commands(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(arguments) == 0
    shown = capsys.readouterr().out
    assert "usage: twofold trend COMMAND" in shown
    assert "twofold trend study" in shown
    assert "demo" not in shown


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"twofold {__version__}\n"


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (["trend", "rnu"], "did you mean `twofold trend run`?"),
        (["predict", "runs/x"], "did you mean `twofold trend predict`?"),
        (["dmeo"], "did you mean `twofold demo`?"),
        (["trnd", "run"], "did you mean `twofold trend`?"),
        (["zzz"], "see `twofold --help`"),
        (["trend", "zzz"], "see `twofold trend --help`"),
        (["--data", "cases.csv"], "an option comes after its command, got --data"),
        (["trend", "--data", "cases.csv"], "see `twofold trend --help`"),
    ],
    ids=str,
)
def test_a_mistyped_word_is_answered_with_advice(
    typed: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(typed) == 2
    shown = capsys.readouterr()
    assert expected in shown.err
    assert shown.out == ""


def test_a_command_gets_the_words_after_its_own(command: Callable[..., None]) -> None:
    seen: list[list[str]] = []

    def record(rest: list[str]) -> int:
        seen.append(rest)
        return 7

    command(record)
    assert cli.main(["trial", "demo", "--seed", "3"]) == 7
    assert seen == [["demo", "--seed", "3"]]


def _ends(command: Callable[..., None], error: BaseException) -> int:
    def fail(rest: list[str]) -> int:
        raise error

    command(fail)
    return cli.main(["trial"])


def test_an_error_of_the_user_is_one_message_and_status_2(
    command: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    assert _ends(command, DataError("cases.csv, row 3: value must be a whole number, got 1.5")) == 2
    assert capsys.readouterr().err == "error: cases.csv, row 3: value must be a whole number, got 1.5\n"


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        MemoryError("Unable to allocate 5.00 TiB for an array"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 25165824 bytes"),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    ],
)
def test_too_little_memory_is_said_with_what_helps(
    command: Callable[..., None], capsys: pytest.CaptureFixture[str], error: BaseException
) -> None:
    assert _ends(command, error) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("error: the memory that this process may have is used up") and str(error) in shown
    assert "Traceback" not in shown


def test_an_error_of_ours_shows_where_and_asks_for_a_report(
    command: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    assert _ends(command, ZeroDivisionError("inside")) == 1
    shown = capsys.readouterr().err
    assert "Traceback" in shown
    assert "ZeroDivisionError: inside" in shown
    assert shown.splitlines()[-1].startswith("error: this is our fault")


def test_an_interrupt_says_how_to_go_on(command: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    assert _ends(command, KeyboardInterrupt()) == 130
    assert "the same command goes on" in capsys.readouterr().err


def test_a_usage_error_of_a_command_passes(command: Callable[..., None]) -> None:
    with pytest.raises(SystemExit) as ended:
        _ends(command, SystemExit(2))
    assert ended.value.code == 2


def test_a_reader_that_goes_away_leaves_no_traceback() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run([*COMMAND, "--help"], stdout=writer, stderr=subprocess.PIPE, check=False, timeout=60)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (141, b"")


ARRAYS = {"torch", "numpy", "polars", "jaxtyping", "sklearn", "scipy", "matplotlib", "jinja2"}
PARSER = "import pydantic, tyro"
SPY = """
import atexit, sys
from twofold.cli import main
atexit.register(lambda: print(*sys.modules, file=sys.stderr))
sys.exit(main(sys.argv[1:]))
"""


def _run(*arguments: str) -> tuple[set[str], float]:
    """Words that a Python process wrote to stderr, and its processor time in s, which a busy machine changes little."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ended = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, timeout=60)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return set(ended.stderr.split()), seconds


@pytest.fixture(scope="module")
def parser_s() -> float:
    """Processor time of an interpreter that imports what every command's parser needs: the least of five processes."""
    return min(_run("-c", PARSER)[1] for _ in range(5))


OVERVIEWS = ["--help", "trend", "--version", "trend rnu"]


@pytest.mark.parametrize("line", [*OVERVIEWS, *(f"{' '.join(words)} --help" for words in cli.COMMANDS)])
def test_help_loads_nothing_heavy_and_comes_soon(line: str, parser_s: float) -> None:
    # Measured in units of `parser_s`: 0.3 for the overviews, 2 to 4.2 for the commands; numpy and polars add 3.5.
    heavy, limit = (ARRAYS | {"pydantic", "tyro", "twofold.trend"}, 0.7) if line in OVERVIEWS else (ARRAYS, 6.0)
    for _ in range(5):
        loaded, seconds = _run("-c", SPY, *line.split())
        assert "twofold.cli" in loaded
        assert not heavy & loaded
        if seconds < limit * parser_s:
            return
        parser_s = _run("-c", PARSER)[1]  # right beside the next try, since a machine's pace changes
    pytest.fail(f"{seconds:.2f} s, {seconds / parser_s:.1f} times the parser's; at most {limit}")
