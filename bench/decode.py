"""How fast a set of images is decoded, and how fast it is opened from the cache.

`TWOFOLD_DATA=FOLDER python bench/decode.py` decodes faces-64.zip into a fresh cache and opens it again in another
process; prints images per second and seconds. Fails below 2,500 images per second, or at 1 s or more for opening.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LEAST_RATE, LIMIT_S = 2500.0, 1.0
OPENING = """
import sys, time
from pathlib import Path
from twofold.vae.config import ImageConfig
from twofold.vae.images.load import load_images
began = time.perf_counter()
images = load_images(Path(sys.argv[1]), ImageConfig(), strict=True, cache=Path(sys.argv[2]))
print(len(images.names), time.perf_counter() - began)
"""


def opening(path: Path, cache: str) -> tuple[int, float]:
    """Images, and seconds that a fresh process takes to open them, its start excluded."""
    command = [sys.executable, "-c", OPENING, str(path), cache]
    count, seconds = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return int(count), float(seconds)


def main() -> int:
    from twofold.vae.config import ImageConfig
    from twofold.vae.images.load import load_images

    path = Path(os.environ["TWOFOLD_DATA"]) / "faces-64.zip"
    with tempfile.TemporaryDirectory() as cache:
        began = time.perf_counter()
        images = load_images(path, ImageConfig(), strict=True, cache=Path(cache))
        seconds = time.perf_counter() - began
        rate = len(images.names) / seconds
        print(f"decoding {len(images.names)} images: {seconds:.2f} s, {rate:.0f}/s (at least {LEAST_RATE:.0f})")
        count, again = opening(path, cache)
        print(f"opening {count} images again: {again:.3f} s (limit {LIMIT_S:.0f} s)")
    return int(rate < LEAST_RATE or again >= LIMIT_S)


if __name__ == "__main__":
    sys.exit(main())
