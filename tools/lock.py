"""The SHA-256 digests of every file of the releases that constraints.txt pins, for every platform.

`python tools/lock.py` writes requirements/build.txt, dev.txt, docs.txt and bench.txt, for pip's `--require-hashes`;
each lacks what those before it hold. The index of packages is asked through uv, which has to be installed; no address
of it is written.

torch is left out: its builds (CPU, CUDA) come from several indexes and have the same version, and so are the libraries
that only some of its builds need and that constraints.txt doesn't pin.
"""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from licences import canonical

ROOT = Path(__file__).parents[1]
HEAD = (
    "# Written by `make lock` from constraints.txt: what `pip install --require-hashes` may install. Without torch.\n"
)
PYTHON = "3.11.5"
"""The oldest Python that every pin can be installed for."""
BLOCK = re.compile(r"^([\w.-]+)==(?:.*\\\n)*.*\n", re.MULTILINE)
"""A release with the digests of its files, and its name."""


def wanted() -> dict[str, list[str]]:
    """The requirements of each file."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    return {
        # For the package itself, and for those that are published as source alone.
        "build": ["hatchling", "setuptools"],
        "dev": project["dependencies"] + extras["dev"],
        "docs": extras["docs"],
        "bench": extras["bench"],
    }


def pinned() -> set[str]:
    """The names that constraints.txt pins."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return {canonical(line.partition("==")[0]) for line in lines if "==" in line}


def compiled(uv: str, requirements: list[str]) -> dict[str, str]:
    """The releases by name, each as lines with its digests."""
    command = [*(uv, "pip", "compile", "-", "--universal", "--generate-hashes", "--python-version", PYTHON)]
    command += ["--constraint", str(ROOT / "constraints.txt"), "--quiet"]
    command += ["--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"]
    given = "\n".join(requirements)
    text = subprocess.run(command, input=given, capture_output=True, check=True, text=True, cwd=ROOT).stdout
    kept = pinned() - {"torch"}
    return {block[1]: block[0] for block in BLOCK.finditer(text) if canonical(block[1]) in kept}


def main() -> int:
    """Writes the files; the exit status."""
    uv = shutil.which("uv")
    if uv is None:
        sys.stderr.write("error: uv is not installed; `pip install uv` installs it\n")
        return 1
    written: set[str] = set()
    for name, requirements in wanted().items():
        found = compiled(uv, requirements)
        text = "".join(lines for release, lines in found.items() if release not in written)
        written |= found.keys()
        path = ROOT / "requirements" / f"{name}.txt"
        path.write_text(HEAD + text, encoding="utf-8")
        sys.stdout.write(f"{path.relative_to(ROOT)}: {text.count('==')} releases, {text.count('sha256:')} files\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
