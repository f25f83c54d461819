"""Images of ten times the memory that a command may have: read, trained on and scored under a limit of the system.

`python bench/larger.py [--images 10] [--limit 1] [--folder FOLDER]` writes an array of images of so many GiB (.npy; the
cache takes as much again) and gives it to `twofold vae run`. All its processes together may have the memory of the
limit in GiB, the files that the system keeps in memory for them included: by a group of processes (cgroup, version 1),
for which it has to run as root. Prints the seconds of reading and of the rest, and the most anonymous memory (no file
stands behind it) that one of the processes had at once (`RssAnon`, looked at ten times a second). Fails when the run
does.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

SIDE, AT_ONCE = 64, 2048
SETTINGS = ["--recipe", "plain", "--image.size", str(SIDE), "--model.width", "8", "--train.images", "4096"]
SETTINGS += ["--split.validation-fraction", "0.002", "--split.test-fraction", "0.002", "--device", "cpu"]
SETTINGS += ["--score.iw-images", "5", "--score.sample-images", "0"]


def write_images(path: Path, number: int) -> None:
    """Blocks of colour under a little noise; no two are the same."""
    draw = np.random.default_rng(0)
    pixels = np.lib.format.open_memmap(path, "w+", np.uint8, (number, SIDE, SIDE, 3))
    for start in range(0, number, AT_ONCE):
        part = pixels[start : start + AT_ONCE]
        blocks = draw.integers(0, 248, (len(part), 4, 4, 3), dtype=np.uint8)
        part[:] = blocks.repeat(SIDE // 4, axis=1).repeat(SIDE // 4, axis=2)
        part += draw.integers(0, 8, part.shape, dtype=np.uint8)
    pixels.flush()


def anonymous_mb(group: int) -> float:
    """The most anonymous memory that a process of a group has now."""
    most = 0.0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(folder.name)) != group:
                continue
            status = (folder / "status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if "RssAnon:" in status:
            most = max(most, int(status.partition("RssAnon:")[2].split()[0]) / 2**10)
    return most


@contextlib.contextmanager
def bounded(limit: int) -> Iterator[Callable[[], None]]:
    """A group of processes that may have so many bytes together; what a process calls to join it."""
    group = Path(f"/sys/fs/cgroup/memory/twofold-{os.getpid()}")
    group.mkdir()
    try:
        (group / "memory.limit_in_bytes").write_text(str(limit))
        yield lambda: void((group / "cgroup.procs").write_text(str(os.getpid())))
        print(f"the group's most: {int((group / 'memory.max_usage_in_bytes').read_text()) / 2**20:,.0f} MB, with files")
    finally:
        group.rmdir()


def void(_: object) -> None:
    """Nothing of a value."""


def main(folder: Path, size: int, limit: int) -> int:
    """Makes the images and the run; the exit status."""
    path, out = folder / "images.npy", folder / "run"
    number = size // (SIDE * SIDE * 3)
    began = time.perf_counter()
    write_images(path, number)
    print(f"{number:,} images, {path.stat().st_size / 2**30:.2f} GiB, written in {time.perf_counter() - began:.0f} s")
    command = [sys.executable, "-m", "twofold", "vae", "run", "--images", str(path), *SETTINGS]
    command += ["--cache", str(folder / "cache"), "--out", str(out)]
    peaks, read_s = {"reading": 0.0, "all that follows": 0.0}, None
    with bounded(limit) as join:
        began = time.perf_counter()
        process = subprocess.Popen(command, start_new_session=True, preexec_fn=join)  # noqa: PLW1509
        while process.poll() is None:
            if read_s is None and any((folder / "cache").glob("entries/*")):
                read_s = time.perf_counter() - began
            now = "reading" if read_s is None else "all that follows"
            peaks[now] = max(peaks[now], anonymous_mb(process.pid))
            time.sleep(0.1)
    if process.returncode or read_s is None:
        print(f"the run ended with {process.returncode}")
        return 1
    scores = json.loads((out / "scores.json").read_text())
    seconds = {"reading": read_s, "all that follows": time.perf_counter() - began - read_s}
    print(f"limit: {limit / 2**20:,.0f} MB; the images are {path.stat().st_size / limit:.1f} times that")
    for part, most in peaks.items():
        print(f"{part}: {seconds[part]:.0f} s, at most {most:,.0f} MB of anonymous memory in a process")
    print(f"test bits per dim {scores['test']['bits_per_dim']:.3f}")
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=float, default=10.0, help="GiB")
    parser.add_argument("--limit", type=float, default=1.0, help="GiB")
    parser.add_argument("--folder", type=Path, help="where the array and the cache lie; by default temporary")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        sys.exit(main(Path(folder), int(given.images * 2**30), int(given.limit * 2**30)))
