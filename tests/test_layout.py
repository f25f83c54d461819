"""Files of the repository: one version, exact pins, documented make targets."""

import re
import tomllib
from pathlib import Path

import pytest

from licences import canonical
from lock import wanted
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


@pytest.mark.parametrize("name", ["build", "dev", "docs", "bench"])
def test_digests_are_those_of_the_pins_and_name_no_place(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    digests = [line for line in lines if re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line)]
    releases = [line for line in lines if line not in digests]
    for line in releases:
        release, marker = re.fullmatch(r"(\S+)( ; .*)? \\", line).groups()  # type: ignore[union-attr]
        assert canonical(release) == canonical(_pins()[_name(release)]), "`make lock` writes it anew"
        # What CPython alone has, or older versions of it need.
        assert marker is None or re.fullmatch(
            r" ; (python_full_version < '[0-9.]+'|implementation_name != 'pypy')", marker
        )
    assert len(digests) >= len(releases) > 2
    assert digests[-1] == lines[-1] and not lines[-1].endswith("\\")


def test_whatever_is_needed_but_torch_has_a_digest() -> None:
    known: set[str] = set()
    for name, requirements in wanted().items():
        text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
        known |= {_name(line) for line in text.splitlines() if "==" in line}
        assert {_name(each) for each in requirements} - {"torch"} <= known, "`make lock` writes it anew"
        assert "torch" not in known


def test_make_alone_names_every_target() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    explained = set(re.findall(r"^([a-z]+):.*## ", text, flags=re.MULTILINE))
    assert explained == {"help", "setup", "demo", "test", "browser", "lint", "types", "docs", "bench"} | {
        "wheel",
        "audit",
        "lock",
    }
    assert ".DEFAULT_GOAL := help" in text


def test_continuous_integration_can_be_run() -> None:
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111
