"""The commands and their dispatch, from one table; only the module of the chosen command is imported.

Help, suggestions and dispatch all read `COMMANDS`; a test imports every row.
"""

import errno
import importlib
import io
import logging
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from twofold import __version__
from twofold.engine.errors import InputError
from twofold.engine.launch import launched

Run = Callable[[list[str]], int]
"""A command: takes the arguments after its name, returns the exit status."""

INTERNAL_ERROR, USER_ERROR, INTERRUPTED, BROKEN_PIPE = 1, 2, 130, 141


class Command(NamedTuple):
    """One row of the table."""

    target: str
    """"module:function" within the package."""
    help: str
    """One line for the overview."""

    def load(self) -> Run:
        """Imports the command's module and returns its function."""
        module, function = self.target.split(":")
        return getattr(importlib.import_module(f"twofold.{module}"), function)

    def flags(self) -> type[Any]:
        """The dataclass of its options, `RunFlags` for `run`."""
        module, function = self.target.split(":")
        return getattr(importlib.import_module(f"twofold.{module}"), f"{function.title()}Flags")


_TABLE = {
    "demo": ("demo:demo", "run both studies, on a simulated epidemic and on rendered avatars"),
    "app": ("app.commands:app", "the runs of a folder in the browser, with their models at work"),
    "trend look": ("trend.commands:look", "how a table of counts is read: layout, dates, suspicions, what to run next"),
    "trend run": ("trend.commands:run", "train on counts by region: calibrated probabilities, scores and a report"),
    "trend backtest": ("trend.commands:backtest", "walk-forward evaluation: refit and score date by date"),
    "trend study": ("trend.commands:study", "reproduce the original study and compare its table with ours"),
    "trend tune": (
        "trend.commands:tune",
        "look for better settings under a budget of time, on validation windows alone",
    ),
    "trend predict": ("trend.commands:predict", "each region's probability of a rise on the date after the last"),
    "trend score": ("trend.commands:score", "the scores of a finished run, or of its model on newer counts"),
    "hub look": ("hub.commands:look", "what a hub asks this week, what is known, and what to run next"),
    "hub backtest": ("hub.commands:backtest", "replay a hub's season as it was known, compared with its teams"),
    "hub fit": ("hub.commands:fit", "fit a hub's models on what is known now and save them"),
    "hub forecast": ("hub.commands:forecast", "write a week's submission to a forecast hub from a saved model"),
    "hub validate": ("hub.commands:validate", "check a submission to a forecast hub, row by row"),
    "vae run": ("vae.commands:run", "train an autoencoder on a folder of images: scores, pictures and a report"),
    "vae look": ("vae.commands:look", "what a folder of images holds, how it is read and which command to run next"),
    "vae sweep": ("vae.commands:sweep", "train the same network with several weights of the KL term and compare them"),
    "vae tune": ("vae.commands:tune", "look for better settings under a budget of time, on validation images alone"),
    "vae score": ("vae.commands:score", "the scores of a finished run, or of its model on other images"),
    "vae reconstruct": ("vae.commands:reconstruct", "images beside their reconstructions"),
    "vae sample": ("vae.commands:sample", "images sampled from the model"),
    "vae interpolate": ("vae.commands:interpolate", "interpolations in latent space between two images"),
    "vae traverse": ("vae.commands:traverse", "an image reconstructed while one latent unit at a time is varied"),
    "vae encode": ("vae.commands:encode", "each image's latent code, as arrays or a table"),
    "vae export": ("vae.commands:export", "the model for other programs: TorchScript or ONNX, with a model card"),
    "runs list": ("runs.commands:overview", "the run folders below a folder, each with its main score"),
    "runs show": ("runs.commands:show", "one run folder: command, settings that differ from the recipe, scores"),
    "runs check": ("runs.commands:check", "whether the files of run folders are what was written"),
    "runs compare": ("runs.commands:compare", "runs of one kind side by side, with paired differences"),
    "runs rm": ("runs.commands:remove", "delete run folders"),
}
_MOVED = {("trend", "hub"): ("hub",)}
"""Groups of commands under their former words."""
COMMANDS = {tuple(words.split()): Command(*row) for words, row in _TABLE.items()}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command line, by default that of the process.

    Returns:
        The exit status: 0 done; 1 an error of the package; 2 one that the user can correct; 130 interrupted; 141 the
        pipe that took the output was closed.

    Raises:
        SystemExit: when a command's parser printed its help (0) or a usage error (2).
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if isinstance(sys.stdout, io.TextIOWrapper):  # a letter that the terminal lacks is written as standard error does
        sys.stdout.reconfigure(errors="backslashreplace")
    logging.getLogger("twofold").addHandler(_NOTES)
    try:
        status = _dispatch(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # As in `… | head`. Python flushes once more at exit; that write must go nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    return status


class _Notes(logging.Handler):
    """Prints what the package has to say while it works, such as that a damaged file is made again."""

    def emit(self, record: logging.LogRecord) -> None:
        """Prints one note."""
        sys.stderr.write(f"note: {record.getMessage()}\n")


_NOTES = _Notes()
_FULL = errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS
_NO_MEMORY = "can't allocate memory", "out of memory"
"""What torch's errors hold where a processor's or a GPU's memory is used up."""


def _dispatch(arguments: list[str]) -> int:
    for length in range(1, len(arguments) + 1):
        if command := COMMANDS.get(tuple(arguments[:length])):
            return _call(command, arguments[length:])
    for old, new in _MOVED.items():
        if tuple(arguments[: len(old)]) == old:
            words = " ".join(("twofold", *new, *arguments[len(old) :][:1]))
            return _fail(f"error: `twofold {' '.join(arguments[: len(old) + 1])}` is `{words}` now", USER_ERROR)
    if arguments == ["--version"]:
        sys.stdout.write(f"twofold {__version__}\n")
        return 0
    if arguments[:1] == ["--completion"]:
        return _complete(arguments[1:])
    group = _group_of(arguments)
    rest = arguments[len(group) :]
    if not rest or rest[0] in ("--help", "-h"):
        sys.stdout.write(_overview(group))
        return 0
    return _fail(_unknown(group, rest[0]), USER_ERROR)


def _call(command: Command, rest: list[str]) -> int:
    if launched() and command is not COMMANDS["vae", "run"]:
        return _fail("error: torchrun is for `twofold vae run` alone; start this command without it", USER_ERROR)
    try:
        return command.load()(rest)
    except InputError as error:
        return _fail(f"error: {error}", USER_ERROR)
    except KeyboardInterrupt:
        return _fail("interrupted: the same command goes on where this one stopped", INTERRUPTED)
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001  whatever was not raised on purpose is a bug
        if told := _used_up(error):
            return _fail(f"error: {told}", USER_ERROR)
        import traceback

        traceback.print_exc()
        return _fail("error: this is our fault, not yours; please report it with the lines above", INTERNAL_ERROR)


def _used_up(error: Exception) -> str:
    """What to do about an error for want of room on a disk or in memory; empty of others."""
    if isinstance(error, OSError) and error.errno in _FULL:
        return f"{error.filename or 'a file'}: can't be written ({error.strerror})"
    if isinstance(error, MemoryError) or any(words in str(error) for words in _NO_MEMORY):
        told = " ".join(str(error).split())[:200] or "nothing said how much was asked for"
        return (
            f"the memory that this process may have is used up ({told}); the same command goes on where there is more, "
            "or give it less: fewer regions and dates, smaller images, smaller batches, a smaller network"
        )
    return ""


def _complete(rest: list[str]) -> int:
    from twofold.completion import SHELLS, options_of, script

    if len(rest) != 1 or rest[0] not in SHELLS:
        got = " ".join(rest) or "nothing"
        return _fail(f"error: --completion takes a shell, {', '.join(SHELLS)}; got {got}", USER_ERROR)
    known = {words: (command.help, options_of(command.flags())) for words, command in COMMANDS.items()}
    sys.stdout.write(script(rest[0], known))
    return 0


def _fail(message: str, status: int) -> int:
    sys.stderr.write(f"{message}\n")
    return status


def _group_of(arguments: list[str]) -> tuple[str, ...]:
    """The longest prefix of `arguments` that begins some command."""
    group: tuple[str, ...] = ()
    for word in arguments:
        longer = (*group, word)
        if not any(words[: len(longer)] == longer for words in COMMANDS):
            break
        group = longer
    return group


_MORE = (
    "Exit status: 0 done; 1 our fault, with a traceback to report; 2 the input was refused, and the message says what",
    "to change; 130 interrupted, and the same command goes on; 141 the pipe that took the output was closed.",
    "",
    "Completion of commands and options in your shell, once:",
    "  bash: twofold --completion bash > ~/.twofold.bash; echo '. ~/.twofold.bash' >> ~/.bashrc",
    "  zsh:  twofold --completion zsh > ~/.twofold.zsh; echo '. ~/.twofold.zsh' >> ~/.zshrc",
    "  fish: twofold --completion fish > ~/.config/fish/completions/twofold.fish",
    "",
)


def _overview(group: tuple[str, ...]) -> str:
    rows = {" ".join(words): command.help for words, command in COMMANDS.items() if words[: len(group)] == group}
    width = max(map(len, rows))
    program = " ".join(("twofold", *group))
    return "\n".join(
        [
            f"usage: {program} COMMAND [options]",
            "",
            *(f"  twofold {words:<{width}}  {line}" for words, line in rows.items()),
            "",
            "`twofold COMMAND --help` explains a command and all its options; `twofold --version` names the version.",
            "",
            *(() if group else _MORE),
        ]
    )


def _unknown(group: tuple[str, ...], word: str) -> str:
    typed = " ".join(("twofold", *group, word))
    if word.startswith("-"):
        return f"error: `{typed}`: an option comes after its command, got {word}; see `{_help_of(group)}`"
    near = _nearest(group, word)
    advice = f"did you mean `twofold {near}`?" if near else f"see `{_help_of(group)}`"
    return f"error: `{typed}` is not a command; {advice}"


def _help_of(group: tuple[str, ...]) -> str:
    return " ".join(("twofold", *group, "--help"))


def _nearest(group: tuple[str, ...], word: str) -> str | None:
    from difflib import get_close_matches

    # The group may be missing, as in `twofold predict`, so every word of every command is a candidate.
    meant = {
        words[depth]: " ".join(words[: depth + 1])
        for words in COMMANDS
        if words[: len(group)] == group
        for depth in range(len(group), len(words))
    }
    found = get_close_matches(word, meant, n=1)
    return meant[found[0]] if found else None
