"""Options of the commands: from the command line to a typed, validated config."""

import contextlib
import inspect
import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import tyro
from pydantic import ValidationError

from twofold.engine.config import AnyConfig, Config, explain
from twofold.engine.errors import InputError
from twofold.engine.files import read_bytes

AsJson = Annotated[
    bool,
    tyro.conf.FlagCreatePairsOff,
    tyro.conf.arg(help="Print the result as one JSON document instead, and nothing else on standard output."),
]
"""The option `--json` of every command that prints a result; see `terminal.present`."""


ConfigFile = Annotated[Path | None, tyro.conf.arg(name="config", metavar="FILE")]
"""The option `--config` of the commands that take their settings from a file; see `starting_config`."""


def parse(flags: type[Any], argv: list[str], words: str, *, default: Any = None, hint: str = "") -> Any:
    """Reads a command's options.

    Args:
        flags: dataclass of the options; its docstring is the help.
        argv: what follows the command's words.
        words: the command's words, such as "trend run".
        default: values of options that are not given; by default those of `flags`. Its `config` holds the settings.
        hint: a further paragraph of the help.

    Returns:
        An instance of `flags`.

    Raises:
        InputError: when a value violates a rule of the config; names the flag.
        SystemExit: after the help (0), or at a usage error (2).
    """
    description = "\n\n".join(part for part in (inspect.getdoc(flags), hint) if part)
    known = {} if default is None else {"default": default}
    out, err = _Buffer(sys.stdout), _Buffer(sys.stderr)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            return tyro.cli(flags, args=argv, prog=f"twofold {words}", description=description, **known)
    except (SystemExit, ValidationError) as ended:
        _raise_violated_rule(ended, words, flags, default)
        # The help, or a usage error.
        sys.stdout.write(out.getvalue())
        sys.stderr.write(err.getvalue())
        raise


class _Buffer(io.StringIO):
    """Buffers text, with colours where the stream itself would show them."""

    def __init__(self, stream: Any) -> None:
        super().__init__()
        self.stream = stream

    def isatty(self) -> bool:
        return self.stream.isatty()

    @property
    def encoding(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]  (a property here, a variable in its stub)
        """Decides whether boxes are drawn by lines or by ASCII."""
        return self.stream.encoding


def _raise_violated_rule(ended: BaseException, words: str, flags: type[Any], default: Any) -> None:
    """Raises an InputError with the flag that violates a rule of the config, where that is what ended the parsing."""
    error: BaseException | None = ended
    while error is not None and not isinstance(error, ValidationError):
        error = error.__context__
    if error is None:
        return
    # A group's title is its class; its flags begin with its name.
    groups = {group.__name__: f"{name}." for name, group in _groups(flags)}
    rules = [
        f"--{groups.get(error.title, '')}{'.'.join(map(str, item['loc'])).replace('_', '-')}: {item['msg']}, "
        f"got {item['input']!r}"
        if item["loc"]
        else item["msg"].removeprefix("Value error, ")  # a rule on several settings names them itself
        for item in error.errors()
    ]
    raise InputError(f"{'; '.join(rules)}; see `twofold {words} --help`") from ended


def _groups(options: type[Any]) -> Iterator[tuple[str, type[Config]]]:
    """Names and classes of the groups of settings; those of `config` have no name of their own before them."""
    for name, kind in get_type_hints(options).items():
        if isinstance(kind, type) and issubclass(kind, Config):
            yield from _groups(kind) if name == "config" else [(name, kind)]


def word_after(flag: str, argv: list[str]) -> str | None:
    """The value of one flag, read before the others: a recipe must be known before the flags that override it."""
    for index, word in enumerate(argv):
        if word == flag and index + 1 < len(argv):
            return argv[index + 1]
        if word.startswith(f"{flag}="):
            return word.partition("=")[2]
    return None


def starting_config(argv: list[str], recipe: Callable[[str], AnyConfig], words: str) -> AnyConfig:
    """The settings that options are given to: those of `--config`, which may be some only, else those of `--recipe`.

    Args:
        argv: what follows the command's words.
        recipe: the config of a recipe, by its name; the file may name one.
        words: the command's words, such as "trend run".

    Raises:
        InputError: when the file can't be read, holds what is no setting or breaks a rule, or both options are given.
    """
    file, name = word_after("--config", argv), word_after("--recipe", argv)
    if file is None:
        return recipe(name or "default")
    if name is not None:
        raise InputError(f"--recipe {name}, --config {file}: give one of them; the file has its own recipe")
    try:
        given = json.loads(read_bytes(Path(file)))
    except ValueError as error:
        raise InputError(f"{file}: is no JSON ({error})") from error
    if not isinstance(given, dict):
        raise InputError(f"{file}: must hold settings by their names, as a run's config.json does")
    try:
        base = recipe(str(given.get("recipe", "default")))
    except InputError as error:
        raise InputError(f"{file}: recipe: {error}") from error
    kind = type(base)
    if unknown := [key for key in given if key not in kind.model_fields]:
        raise InputError(
            f"{file}: {', '.join(unknown)}: no setting of `twofold {words}`; is it another command's config?"
        )
    try:
        return kind.model_validate(_merged(base.model_dump(mode="json"), given))
    except ValidationError as error:
        raise InputError(f"{file}: {explain(error)}") from error


def _merged(base: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Settings of which some are others."""
    return base | {
        key: _merged(base[key], value) if isinstance(value, dict) and isinstance(base.get(key), dict) else value
        for key, value in given.items()
    }
