"""The command tree: words -> where the function stands, and a line of help. Only the chosen command is imported.

A word of a command stands nowhere else: help, suggestions and the choice all read `COMMANDS`; a test imports every row.
"""

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

from twofold import __version__
from twofold.engine.errors import InputError

Run = Callable[[list[str]], int]
"""What a command is: the arguments after its words in, the exit status out."""

OUR_FAULT, THEIRS_TO_MEND, INTERRUPTED, READER_GONE = 1, 2, 130, 141


class Command(NamedTuple):
    """One row of the table."""

    target: str
    """Where the function stands, "module:function" within the package; imported when the command is chosen."""
    help: str
    """One line for the overview."""

    def load(self) -> Run:
        """Imports the command's module and returns its function."""
        module, function = self.target.split(":")
        return getattr(importlib.import_module(f"twofold.{module}"), function)


_TABLE = {
    "demo": ("demo:demo", "see both studies work, on a simulated epidemic and on rendered avatars"),
    "trend run": ("trend.commands:run", "counts by region in; calibrated probabilities, scores and a report out"),
    "trend backtest": ("trend.commands:backtest", "walk forward through time: refit as it goes, score each date"),
    "trend study": ("trend.commands:study", "reproduce the original study whole, its table beside ours"),
    "trend predict": ("trend.commands:predict", "each region's probability of rising on the day after the last"),
    "trend score": ("trend.commands:score", "the scores of a finished run, or of its model on newer counts"),
    "trend hub backtest": ("hub.commands:backtest", "a hub's season replayed as it was known, beside its teams"),
    "trend hub fit": ("hub.commands:fit", "fit a hub's models on what is known now, and save them"),
    "trend hub forecast": ("hub.commands:forecast", "a week's submission to a forecast hub, from a saved model"),
    "trend hub validate": ("hub.commands:validate", "check a submission to a forecast hub, row by row"),
    "vae run": ("vae.commands:run", "a folder of images in; a trained autoencoder, its scores and a report out"),
    "vae sweep": ("vae.commands:sweep", "the same network under several weights of the KL term, side by side"),
    "vae score": ("vae.commands:score", "the scores of a finished run, or of its model on other images"),
    "vae reconstruct": ("vae.commands:reconstruct", "images beside what the model makes of them"),
    "vae sample": ("vae.commands:sample", "images that the model makes up"),
    "vae interpolate": ("vae.commands:interpolate", "images along the way between two real ones"),
    "vae traverse": ("vae.commands:traverse", "an image with one latent unit at a time moved"),
    "vae encode": ("vae.commands:encode", "each image's latent code, as arrays"),
}
COMMANDS = {tuple(words.split()): Command(*row) for words, row in _TABLE.items()}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line.

    Args:
        argv: the words after the program's name; None takes those of the process.

    Returns:
        The exit status: 0 done; 1 our own fault; 2 the user can mend it; 130 interrupted; 141 whoever read our output
        went away.

    Raises:
        SystemExit: a command's own parser printed its help (0) or a usage error (2).
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        status = _dispatch(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # As in `… | head`. Python flushes once more at exit; that write must go nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_GONE
    return status


def _dispatch(arguments: list[str]) -> int:
    for length in range(1, len(arguments) + 1):
        if command := COMMANDS.get(tuple(arguments[:length])):
            return _call(command, arguments[length:])
    if arguments == ["--version"]:
        sys.stdout.write(f"twofold {__version__}\n")
        return 0
    group = _group_of(arguments)
    rest = arguments[len(group) :]
    if not rest or rest[0] in ("--help", "-h"):
        sys.stdout.write(_overview(group))
        return 0
    return _fail(_unknown(group, rest[0]), THEIRS_TO_MEND)


def _call(command: Command, rest: list[str]) -> int:
    try:
        return command.load()(rest)
    except InputError as error:
        return _fail(f"error: {error}", THEIRS_TO_MEND)
    except KeyboardInterrupt:
        return _fail("interrupted: the same command goes on where this one stopped", INTERRUPTED)
    except BrokenPipeError:
        raise
    except Exception:  # noqa: BLE001  every error that nobody else took is our own fault
        import traceback

        traceback.print_exc()
        return _fail("error: this is our fault, not yours; please report it with the lines above", OUR_FAULT)


def _fail(message: str, status: int) -> int:
    sys.stderr.write(f"{message}\n")
    return status


def _group_of(arguments: list[str]) -> tuple[str, ...]:
    """The longest beginning of `arguments` that some commands share."""
    group: tuple[str, ...] = ()
    for word in arguments:
        longer = (*group, word)
        if not any(words[: len(longer)] == longer for words in COMMANDS):
            break
        group = longer
    return group


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

    # Any word of a command may be the one that was meant, also with the group left out (`twofold predict`).
    meant = {
        words[depth]: " ".join(words[: depth + 1])
        for words in COMMANDS
        if words[: len(group)] == group
        for depth in range(len(group), len(words))
    }
    found = get_close_matches(word, meant, n=1)
    return meant[found[0]] if found else None
