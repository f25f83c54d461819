"""Images of ten times the memory that a process may have: read, trained on and scored under a limit of the system.

`python bench/larger.py [--memory 1.0] [--times 10] [--folder FOLDER]` writes an array of images of so many times that
many GiB (.npy; the cache takes as much again) and gives it to `twofold vae run`, whose processes may have no more data
than that (`RLIMIT_DATA`: anonymous memory, which no file stands behind). Prints the seconds of reading and of the rest,
and the most anonymous memory that one of the processes had at once (`RssAnon`, looked at ten times a second). Fails
when the run does.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
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


def main(folder: Path, memory: float, times: float) -> int:
    """Makes the images and the run; the exit status."""
    path, out, limit = folder / "images.npy", folder / "run", int(memory * 2**30)
    number = int(times * limit) // (SIDE * SIDE * 3)
    began = time.perf_counter()
    write_images(path, number)
    print(f"{number:,} images, {path.stat().st_size / 2**30:.2f} GiB, written in {time.perf_counter() - began:.0f} s")
    command = [sys.executable, "-m", "twofold", "vae", "run", "--images", str(path), *SETTINGS]
    command += ["--cache", str(folder / "cache"), "--out", str(out)]

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))

    peaks, read_s, began = {"reading": 0.0, "all that follows": 0.0}, None, time.perf_counter()
    process = subprocess.Popen(command, start_new_session=True, preexec_fn=limited)  # noqa: PLW1509
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
    larger = path.stat().st_size / limit
    print(f"limit of each process: {limit / 2**20:,.0f} MB of data; the images are {larger:.1f} times that")
    for part, most in peaks.items():
        print(f"{part}: {seconds[part]:.0f} s, at most {most:,.0f} MB of anonymous memory in a process")
    print(f"{scores['data']['images']} images; test bits per dim {scores['test']['bits_per_dim']:.3f}")
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--memory", type=float, default=1.0, help="GiB that a process may have")
    parser.add_argument("--times", type=float, default=10.0, help="so much more are the images")
    parser.add_argument("--folder", type=Path, help="where the array and the cache lie; by default temporary")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        sys.exit(main(Path(folder), given.memory, given.times))
