"""Completion in real shells: each word, option and choice of every command."""

import shutil
import subprocess
from pathlib import Path

import pytest

from test_options import Options, options_of
from twofold.cli import COMMANDS, main
from twofold.completion import SHELLS

BASH = """
source {script}
for line in "${{@:1}}"; do
  read -ra COMP_WORDS <<< "$line"
  [[ "$line" == *" " ]] && COMP_WORDS+=("")
  COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)) COMPREPLY=()
  _twofold
  echo "${{COMPREPLY[@]}}"
done
"""
FISH = """
source {script}
for line in $argv
    echo (complete -C $line | string replace -r '\\t.*' '')
end
"""
# As zsh's own `bashcompinit` calls the function: split into words, with the options of ksh.
ZSH = """
autoload -Uz compinit && compinit -u -D
source {script}
ask() {{
  emulate -L sh
  setopt kshglob noshglob braceexpand ksharrays
  _twofold
  echo "${{COMPREPLY[@]}}"
}}
for line in "$@"; do
  COMP_WORDS=(${{(z)line}})
  [[ "$line" == *" " ]] && COMP_WORDS+=("")
  COMP_CWORD=$(($#COMP_WORDS - 1)) COMPREPLY=()
  ask
done
"""


@pytest.fixture(scope="module")
def options_known() -> Options:
    """By the help of each command."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "100")
        return {words: options_of(words) for words in COMMANDS}


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("scripts")
    found = {}
    for shell in SHELLS:
        with pytest.MonkeyPatch.context() as patch:
            written: list[str] = []
            patch.setattr("sys.stdout.write", written.append)
            assert main(["--completion", shell]) == 0
        found[shell] = folder / f"twofold.{shell}"
        found[shell].write_text("".join(written))
    return found


def completed(scripts: dict[str, Path], shell: str, *lines: str) -> list[set[str]]:
    """What a shell offers at the end of each line."""
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    program = {"bash": BASH, "zsh": ZSH, "fish": FISH}[shell].format(script=scripts[shell])
    more = [] if shell == "fish" else [shell]
    ended = subprocess.run(
        [shell, "-c", program, *more, *lines], capture_output=True, text=True, check=True, timeout=60
    )
    assert ended.stderr == ""
    answers = ended.stdout.splitlines()
    assert len(answers) == len(lines)
    return [set(answer.split()) for answer in answers]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_knows_every_word(shell: str, scripts: dict[str, Path]) -> None:
    groups = sorted({words[0] for words in COMMANDS if len(words) > 1})
    top, *below = completed(scripts, shell, "twofold ", *(f"twofold {group} " for group in groups))
    assert top - {"--help", "--version", "--completion"} == {words[0] for words in COMMANDS}
    for group, found in zip(groups, below, strict=True):
        assert found - {"--help"} == {words[1] for words in COMMANDS if words[0] == group}


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_knows_every_option_of_every_command(
    shell: str, scripts: dict[str, Path], options_known: Options
) -> None:
    found = completed(scripts, shell, *(f"twofold {' '.join(words)} --" for words in COMMANDS))
    for words, offered in zip(COMMANDS, found, strict=True):
        # A line of the help of `vae look` begins with an option of another command.
        assert options_known[words] - offered <= ({"--images"} if words == ("vae", "look") else set()), words


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_knows_the_choices(shell: str, scripts: dict[str, Path]) -> None:
    cells, recipes, shown = completed(
        scripts,
        shell,
        "twofold trend run --seed 3 --model.cell ",
        "twofold vae run --objective.name ",
        "twofold runs list --js",
    )
    assert cells == {"rnn", "lstm", "gru"}
    assert recipes == {"elbo", "beta_tc"}
    assert "--json" in shown  # zsh itself leaves out what does not begin so


def test_another_shell_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--completion", "tcsh"], ["--completion"], ["--completion", "bash", "zsh"]):
        assert main(words) == 2
        shown = capsys.readouterr()
        assert "takes a shell, bash, zsh, fish" in shown.err
        assert shown.out == ""
