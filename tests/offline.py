"""Processes with a network that is cut, and what they tried nevertheless."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import no_network

DRIVER = """
import json, sys
from twofold.cli import main
from twofold.engine import clusters
from twofold.page import album
from twofold.trend.original import study

study.TRIALS = ()  # most of a study's time
album.to_png = lambda figure: b""
clusters.CONNECT_S = 0.5
for wanted, words in json.load(sys.stdin):
    if (status := main(words)) != wanted:
        sys.exit(f"{words}: status {status}")
"""


class Offline:
    """Processes that work in a folder, cut off, with some variables of their environment changed."""

    def __init__(self, folder: Path, **changed: str) -> None:
        self.log, site = folder / "tried.txt", folder / "site"
        site.mkdir(parents=True, exist_ok=True)
        text = Path(no_network.__file__).read_text(encoding="utf-8")
        (site / "sitecustomize.py").write_text(f"{text}\n\ncut({str(self.log)!r})\n", encoding="utf-8")
        path = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])
        env = {**os.environ, **changed, "PYTHONPATH": path}
        self.options: dict[str, Any] = {"cwd": folder, "text": True, "env": env}

    def python(self, code: str, **more: Any) -> subprocess.CompletedProcess[str]:
        """Runs code in a process."""
        return subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, **self.options, **more)

    def twofold(self, *lines: tuple[int, list[str]]) -> None:
        """Runs command lines in one process, each of which must end with its status."""
        ended = self.python(DRIVER, input=json.dumps(lines))
        assert ended.returncode == 0, ended.stderr[-4000:]

    @property
    def tried(self) -> str:
        """Who reached for a network, and from where; empty: nobody."""
        return self.log.read_text(encoding="utf-8") if self.log.exists() else ""
