"""The default recipe on both real files from the command line: scores against baselines, time and memory.

`TWOFOLD_DATA=FOLDER python bench/real_data.py [OUT]` runs each file into a folder of its own, one after the other, and
prints its table, the paired differences in log score of the networks to logistic regression, the wall time and the peak
memory; fails when a run takes 2 GB or more.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FILES = "covid_19.csv", "time_series_covid19_confirmed_global.csv"
LIMIT_MB = 2000


def main() -> int:
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp())
    status = 0
    for name in FILES:
        began = time.perf_counter()
        folder = out / Path(name).stem
        command = [
            "twofold",
            "trend",
            "run",
            "--data",
            str(Path(os.environ["TWOFOLD_DATA"]) / name),
            "--out",
            str(folder),
        ]
        subprocess.run([sys.executable, "-m", *command], check=True)
        # ru_maxrss is the largest of all children so far; the files run in the order of their size.
        peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(f"{name}: {time.perf_counter() - began:.0f} s, peak memory {peak_mb:.0f} MB")
        scores = json.loads((folder / "scores.json").read_text())
        for part in ("test", "test_active"):
            for item in scores["comparisons"][part]:
                if item["score"] == "log_score" and item["against"] == "logistic":
                    print(
                        f"  {part}: {item['model']} minus logistic, log score {item['difference']:+.4f} "
                        f"[{item['low']:+.4f}, {item['high']:+.4f}]"
                    )
        status |= int(peak_mb >= LIMIT_MB)
    return status


if __name__ == "__main__":
    sys.exit(main())
