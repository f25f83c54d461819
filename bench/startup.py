"""How long the overview of commands takes, beside what it must not import.

Run by `make bench`. Fails when `twofold --help` takes 0.2 s or more, best of five.
"""

import subprocess
import sys
import time

LIMIT_S = 0.2
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "twofold --help": ["-m", "twofold", "--help"],
    "twofold trend": ["-m", "twofold", "trend"],
    "import pydantic, tyro": ["-c", "import pydantic, tyro"],
    "import torch": ["-c", "import torch"],
}


def seconds(arguments: list[str]) -> float:
    """Wall time of one process of this Python."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def main() -> int:
    """Prints best and median of five for each command; 1 when the overview is too slow."""
    best = {}
    for name, arguments in COMMANDS.items():
        taken = sorted(seconds(arguments) for _ in range(5))
        best[name] = taken[0]
        print(f"{name:<24} best {1000 * taken[0]:6.0f} ms   median {1000 * taken[2]:6.0f} ms")
    return int(best["twofold --help"] >= LIMIT_S)


if __name__ == "__main__":
    sys.exit(main())
