"""Wall time of `trend run` with the GRU recipe, and of the whole study.

`TWOFOLD_DATA=FOLDER python bench/speed.py` prints wall seconds; fails at 20 s for the run or 480 s for the study.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIMITS = {("trend", "run", "--recipe", "original-gru-l7"): 20.0, ("trend", "study"): 480.0}


def main() -> int:
    data = Path(os.environ["TWOFOLD_DATA"]) / "covid_19.csv"
    status = 0
    for words, limit in LIMITS.items():
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "twofold", *words, "--data", str(data), "--out", f"{folder}/run"]
            began = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            seconds = time.perf_counter() - began
        print(f"twofold {' '.join(words)}: {seconds:.1f} s (limit {limit:.0f} s)", flush=True)
        status |= int(seconds >= limit)
    return status


if __name__ == "__main__":
    sys.exit(main())
