"""Files of the repository: one version, exact pins, documented make targets."""

import re
import tomllib
from pathlib import Path

import pytest

from twofold import __version__

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def _name(requirement: str) -> str:
    """A requirement's or pin's name, spelt the one way (PEP 503)."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!~; ]", requirement)[0]).lower()


def _pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return {_name(line): line for line in lines if line and not line.startswith("#")}


def test_the_version_is_one() -> None:
    assert PROJECT["version"] == __version__


@pytest.mark.parametrize("extra", ["", *PROJECT["optional-dependencies"]])
def test_every_dependency_has_a_pin(extra: str) -> None:
    wanted = PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]
    assert {_name(requirement) for requirement in wanted} <= _pins().keys()


def test_pins_are_exact_and_belong_to_no_machine() -> None:
    for line in _pins().values():
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9a-z.]*", line), line


def test_make_alone_names_every_target() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    explained = set(re.findall(r"^([a-z]+):.*## ", text, flags=re.MULTILINE))
    assert explained == {"help", "setup", "demo", "test", "browser", "lint", "types", "docs", "bench"}
    assert ".DEFAULT_GOAL := help" in text


def test_continuous_integration_can_be_run() -> None:
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111
