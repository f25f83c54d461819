"""Options of the commands: from words to a typed, checked config."""

import contextlib
import inspect
import io
import sys
from typing import Any

import tyro
from pydantic import ValidationError

from twofold.engine.config import Config
from twofold.engine.errors import InputError


def parse(flags: type[Any], argv: list[str], words: str, *, default: Any = None, hint: str = "") -> Any:
    """Reads a command's options.

    Args:
        flags: dataclass of the options; its docstring is the help.
        argv: what follows the command's words.
        words: the command's words, such as "trend run".
        default: options that are not given; by default those of `flags`. Its `config` names the groups of settings.
        hint: a further paragraph of the help.

    Returns:
        An instance of `flags`.

    Raises:
        InputError: when a value breaks a rule of the config; names the flag.
        SystemExit: after the help (0), or when the words are wrong (2).
    """
    description = "\n\n".join(part for part in (inspect.getdoc(flags), hint) if part)
    known = {} if default is None else {"default": default}
    out, err = _Held(sys.stdout), _Held(sys.stderr)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            return tyro.cli(flags, args=argv, prog=f"twofold {words}", description=description, **known)
    except (SystemExit, ValidationError) as ended:
        _refuse_broken_rule(ended, words, flags, default)
        # What tyro had to say: the help, or what is wrong with the words.
        sys.stdout.write(out.getvalue())
        sys.stderr.write(err.getvalue())
        raise


class _Held(io.StringIO):
    """Holds text back until it is known whether it is wanted; in colour where the stream itself would show it."""

    def __init__(self, stream: Any) -> None:
        super().__init__()
        self.stream = stream

    def isatty(self) -> bool:
        return self.stream.isatty()

    @property
    def encoding(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]  (a property here, a variable in its stub)
        """Decides whether boxes are drawn by lines or by ASCII."""
        return self.stream.encoding


def _refuse_broken_rule(ended: BaseException, words: str, flags: type[Any], default: Any) -> None:
    """Names the flag that breaks a rule of the config, where that is what ended the parsing."""
    error: BaseException | None = ended
    while error is not None and not isinstance(error, ValidationError):
        error = error.__context__
    if error is None:
        return
    # A group's title is its class; its flags begin with its name.
    config = getattr(flags if default is None else default, "config", None)
    groups = {type(value).__name__: f"{name}." for name, value in config or () if isinstance(value, Config)}
    rules = [
        f"--{groups.get(error.title, '')}{'.'.join(map(str, item['loc'])).replace('_', '-') or '*'}: {item['msg']}"
        + (f", got {item['input']!r}" if item["loc"] else "")
        for item in error.errors()
    ]
    raise InputError(f"{'; '.join(rules)}; see `twofold {words} --help`") from ended


def word_after(flag: str, argv: list[str]) -> str | None:
    """The value of one flag, read before the others: a recipe must be known before the flags that change it."""
    for index, word in enumerate(argv):
        if word == flag and index + 1 < len(argv):
            return argv[index + 1]
        if word.startswith(f"{flag}="):
            return word.partition("=")[2]
    return None
