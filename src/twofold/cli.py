"""The command tree: a plain table; only the chosen command imports pydantic, tyro and torch.

A word of a command stands nowhere else: help, suggestions and the choice all read `COMMANDS`. Each entry imports its
function with a real import statement, so that pyright holds every function to the one signature and import-linter sees
the arrow.
"""

import os
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

from twofold import __version__
from twofold.engine.errors import InputError

Run = Callable[[list[str]], int]
"""What a command is: the arguments after its words in, the exit status out."""

OUR_FAULT, THEIRS_TO_MEND, INTERRUPTED, READER_GONE = 1, 2, 130, 141


def _demo() -> Run:
    from twofold.demo import demo

    return demo


def _trend_run() -> Run:
    from twofold.trend.commands import run

    return run


def _trend_study() -> Run:
    from twofold.trend.commands import study

    return study


def _trend_predict() -> Run:
    from twofold.trend.commands import predict

    return predict


def _trend_score() -> Run:
    from twofold.trend.commands import score

    return score


def _trend_backtest() -> Run:
    from twofold.trend.commands import backtest

    return backtest


def _hub_backtest() -> Run:
    from twofold.hub.commands import backtest

    return backtest


def _hub_fit() -> Run:
    from twofold.hub.commands import fit

    return fit


def _hub_forecast() -> Run:
    from twofold.hub.commands import forecast

    return forecast


def _hub_validate() -> Run:
    from twofold.hub.commands import validate

    return validate


def _vae_run() -> Run:
    from twofold.vae.commands import run

    return run


def _vae_sweep() -> Run:
    from twofold.vae.commands import sweep

    return sweep


def _vae_score() -> Run:
    from twofold.vae.commands import score

    return score


def _vae_reconstruct() -> Run:
    from twofold.vae.commands import reconstruct

    return reconstruct


def _vae_sample() -> Run:
    from twofold.vae.commands import sample

    return sample


def _vae_interpolate() -> Run:
    from twofold.vae.commands import interpolate

    return interpolate


def _vae_traverse() -> Run:
    from twofold.vae.commands import traverse

    return traverse


def _vae_encode() -> Run:
    from twofold.vae.commands import encode

    return encode


class Command(NamedTuple):
    """One row of the table."""

    load: Callable[[], Run]
    """Imports the command's module and returns its function."""
    help: str
    """One line for the overview."""


COMMANDS: dict[tuple[str, ...], Command] = {
    ("demo",): Command(_demo, "see both studies work, on a simulated epidemic and on rendered avatars"),
    ("trend", "run"): Command(_trend_run, "counts by region in; calibrated probabilities, scores and a report out"),
    ("trend", "backtest"): Command(_trend_backtest, "walk forward through time: refit as it goes, score each date"),
    ("trend", "study"): Command(_trend_study, "reproduce the original study whole, its table beside ours"),
    ("trend", "predict"): Command(_trend_predict, "each region's probability of rising on the day after the last"),
    ("trend", "score"): Command(_trend_score, "the scores of a finished run, or of its model on newer counts"),
    ("trend", "hub", "backtest"): Command(_hub_backtest, "a hub's season replayed as it was known, beside its teams"),
    ("trend", "hub", "fit"): Command(_hub_fit, "fit a hub's models on what is known now, and save them"),
    ("trend", "hub", "forecast"): Command(_hub_forecast, "a week's submission to a forecast hub, from a saved model"),
    ("trend", "hub", "validate"): Command(_hub_validate, "check a submission to a forecast hub, row by row"),
    ("vae", "run"): Command(_vae_run, "a folder of images in; a trained autoencoder, its scores and a report out"),
    ("vae", "sweep"): Command(_vae_sweep, "the same network under several weights of the KL term, side by side"),
    ("vae", "score"): Command(_vae_score, "the scores of a finished run, or of its model on other images"),
    ("vae", "reconstruct"): Command(_vae_reconstruct, "images beside what the model makes of them"),
    ("vae", "sample"): Command(_vae_sample, "images that the model makes up"),
    ("vae", "interpolate"): Command(_vae_interpolate, "images along the way between two real ones"),
    ("vae", "traverse"): Command(_vae_traverse, "an image with one latent unit at a time moved"),
    ("vae", "encode"): Command(_vae_encode, "each image's latent code, as arrays"),
}


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
