"""The wheel by itself: built, installed where nothing else is, and used as a newcomer uses it.

`python bench/wheel.py [COMMIT ...]` prints bytes and seconds; of each commit named the bytes of its wheel, too. It
downloads what the wheel needs. Fails when a command fails, when the wheel has 2 MB or more, or a report or page 3 MB.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
WHEEL_BYTES, PAGE_BYTES = 2_000_000, 3_000_000
TABLE = "region,date,value\n" + "".join(
    f"{place},2024-01-{day:02d},{day * factor}\n"
    for place, factor in (("North", 3), ("South", 5))
    for day in range(1, 29)
)


def built(source: Path, folder: Path) -> Path:
    """The wheel of a source tree."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(source)]
    subprocess.run(command, check=True)
    (wheel,) = folder.glob("twofold-*.whl")
    return wheel


def built_at(commit: str, folder: Path) -> Path:
    """The wheel of a commit."""
    tree = folder / "tree"
    tree.mkdir()
    packed = subprocess.run(["git", "-C", str(ROOT), "archive", commit], check=True, capture_output=True).stdout
    subprocess.run(["tar", "-x", "-C", str(tree)], check=True, input=packed)
    return built(tree, folder)


def size(path: Path) -> int:
    """Bytes of a file, or of all in a folder."""
    return (
        sum(item.lstat().st_size for item in path.rglob("*") if item.is_file())
        if path.is_dir()
        else path.stat().st_size
    )


class Installed:
    """An environment that holds the wheel and what it needs, and an empty folder to work in."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        self.work, self.bin = folder / "work", folder / "venv" / "bin"
        self.work.mkdir()
        venv.create(folder / "venv", with_pip=True)
        self.env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        self.env |= {"TWOFOLD_CACHE": str(folder / "cache")}
        self.timed("pip install", "pip", "install", "--quiet", "-c", str(ROOT / "constraints.txt"), f"{wheel}[app]")
        (self.packages,) = (folder / "venv").glob("lib/python*/site-packages")

    def timed(self, name: str, *command: str) -> None:
        """Runs a command of the environment, which must succeed, and prints its seconds."""
        begun = time.perf_counter()
        call = [str(self.bin / command[0]), *command[1:]]
        done = subprocess.run(call, check=False, cwd=self.work, env=self.env, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{name}: exit status {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
        print(f"{name:<28} {time.perf_counter() - begun:8.1f} s")

    def sizes(self) -> None:
        """Prints what the environment takes on the disk."""
        torch = sum(
            size(item) for item in self.packages.iterdir() if re.match("torch|nvidia|triton|functorch", item.name)
        )
        whole, own = size(self.packages), size(self.packages / "twofold")
        print(
            f"site-packages: {whole / 1e6:,.0f} MB; without torch {(whole - torch) / 1e6:,.0f}; twofold {own / 1e6:.1f}"
        )

    def pages(self) -> list[int]:
        """Serves the runs, prints what each page weighs with its scripts, and gives that."""
        begun, weights = time.perf_counter(), []
        command = [str(self.bin / "twofold"), "app", "runs", "--port", "0", "--open", "no"]
        with subprocess.Popen(command, cwd=self.work, env=self.env, stdout=subprocess.PIPE, text=True) as server:
            try:
                assert server.stdout is not None
                found = re.search(r"http://[^/]+", server.stdout.readline())
                assert found is not None
                first = fetched(f"{found[0]}/")
                print(f"{'first page of the app':<28} {time.perf_counter() - begun:8.1f} s")
                runs = json.loads(fetched(f"{found[0]}/api/runs"))
                for address in ["/", *(run["page"] for run in runs)]:
                    page = first if address == "/" else fetched(found[0] + address)
                    scripts = re.findall(r'<script src="([^"]+)"', page.decode())
                    weights.append(len(page) + sum(len(fetched(found[0] + script)) for script in scripts))
                    print(f"page {address:<23} {weights[-1]:>10,} bytes, {len(scripts)} scripts among them")
            finally:
                server.send_signal(signal.SIGINT)
                server.wait(60)
        return weights


def fetched(address: str) -> bytes:
    """What an address holds."""
    with urllib.request.urlopen(address, timeout=120) as answer:
        return answer.read()


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, commit in enumerate(sys.argv[1:]):
            (folder / str(number)).mkdir()
            print(f"wheel of {commit}: {size(built_at(commit, folder / str(number))):,} bytes")
        wheel = built(ROOT, folder)
        weight = size(wheel)
        print(f"wheel: {weight:,} bytes")
        installed = Installed(folder, wheel)
        installed.sizes()
        (installed.work / "cases.csv").write_text(TABLE, encoding="utf-8")
        installed.timed("twofold --help", "twofold", "--help")
        installed.timed("twofold trend look", "twofold", "trend", "look", "cases.csv")
        installed.timed("twofold demo", "twofold", "demo")
        reports = {path: size(path) for path in sorted(installed.work.rglob("report.html"))}
        for path, length in reports.items():
            print(f"{path.relative_to(installed.work)!s:<28} {length:>10,} bytes")
        heaviest = max(*reports.values(), *installed.pages())
    return int(weight >= WHEEL_BYTES or heaviest >= PAGE_BYTES)


if __name__ == "__main__":
    sys.exit(main())
