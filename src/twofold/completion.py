"""Shell completion: a script that knows every command word, option and choice, so that a shell starts no Python.

tyro writes such scripts, too, but passes all options as one argument of a Python process at each key press; those of
our commands are longer than Linux allows (128 KiB), and fish fails.
"""

import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

Words = tuple[str, ...]


class Option(NamedTuple):
    """An option of a command, by all its names."""

    names: tuple[str, ...]
    choices: tuple[str, ...]
    flag: bool
    """Whether it takes no value."""
    help: str


def options_of(flags: type[Any]) -> list[Option]:
    """The options of a command's dataclass."""
    from tyro.extras import get_parser

    with warnings.catch_warnings():
        # Deprecated, and the one way to ask tyro for a parser's options.
        warnings.simplefilter("ignore", DeprecationWarning)
        actions = get_parser(flags)._actions
    return [
        Option(
            tuple(each.option_strings), tuple(sorted(map(str, each.choices or ()))), each.nargs == 0, _first(each.help)
        )
        for each in actions
        if each.option_strings
    ]


def _first(text: str | None) -> str:
    """The first sentence of a help text, on one line."""
    words = " ".join((text or "").split()).partition(" (default:")[0]
    return words.partition(". ")[0]


def script(shell: str, commands: Mapping[Words, tuple[str, list[Option]]]) -> str:
    """The completion script of a shell.

    Args:
        shell: one of `SHELLS`.
        commands: help and options of each command, by its words.
    """
    return SHELLS[shell](commands)


def _bash(commands: Mapping[Words, tuple[str, list[Option]]]) -> str:
    groups: dict[str, list[str]] = {"": []}
    for words in commands:
        groups[""] += [words[0]] if words[0] not in groups[""] else []
        if len(words) == 2:
            groups.setdefault(words[0], []).append(words[1])
    lines = [
        "_twofold() {",
        '  local cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD-1]}" words=""',
        '  case "$COMP_CWORD ${COMP_WORDS[1]}" in',
        f'    "1 "*) words="{" ".join([*groups.pop(""), "--help", "--version", "--completion"])}" ;;',
        *(f'    "2 {group}") words="{" ".join(words)} --help" ;;' for group, words in groups.items()),
        '    *) case " ${COMP_WORDS[1]} ${COMP_WORDS[2]} " in',
    ]
    for words, (_, options) in commands.items():
        names = " ".join(name for option in options for name in option.names)
        lines += [f'      " {" ".join(words)} "*) case "$prev" in']
        lines += [
            f'        {"|".join(option.names)}) words="{" ".join(option.choices)}" ;;'
            for option in options
            if not option.flag
        ]
        lines += [f'        *) [[ "$cur" == -* ]] && words="{names}" ;;', "        esac ;;"]
    lines += [
        "    esac ;;",
        "  esac",
        '  COMPREPLY=($(compgen -W "$words" -- "$cur"))',
        "}",
        "complete -o default -F _twofold twofold",
    ]
    return "\n".join(lines) + "\n"


def _zsh(commands: Mapping[Words, tuple[str, list[Option]]]) -> str:
    """That of bash, which zsh understands by a module of its own."""
    loaded = "autoload -Uz compinit bashcompinit\n(( $+functions[compdef] )) || compinit\nbashcompinit\n"
    return loaded + _bash(commands)


def _fish(commands: Mapping[Words, tuple[str, list[Option]]]) -> str:
    lines = [
        "function __twofold_typed",
        "    set -l words (commandline -opc)",
        "    set -e words[1]",
        "    string join ' ' -- $words",
        "end",
        "function __twofold_after",  # these words, and nothing yet
        "    set -l typed (__twofold_typed)",
        '    test "$typed" = "$argv"',
        "end",
        "function __twofold_in",  # the command of these words
        "    set -l typed (__twofold_typed)",
        '    string match -q -- "$argv *" "$typed "',
        "end",
        "complete -c twofold -f -n '__twofold_after' -l help -l version -l completion",
    ]
    groups = dict.fromkeys(words[0] for words in commands if len(words) == 2)
    lines += [f"complete -c twofold -f -n '__twofold_after' -a {group}" for group in groups]
    for words, (help_line, options) in commands.items():
        above = " ".join(["__twofold_after", *words[:-1]])
        lines.append(f"complete -c twofold -f -n '{above}' -a {words[-1]} -d {_quoted(help_line)}")
        for option in options:
            names = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names)
            value = "" if option.flag else f" -x -a '{' '.join(option.choices)}'" if option.choices else " -r"
            at = f"-n '__twofold_in {' '.join(words)}'"
            lines.append(f"complete -c twofold {at} {names}{value} -d {_quoted(option.help)}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A string of fish."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


SHELLS: dict[str, Callable[[Mapping[Words, tuple[str, list[Option]]]], str]] = {
    "bash": _bash,
    "zsh": _zsh,
    "fish": _fish,
}
