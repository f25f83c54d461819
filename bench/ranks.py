"""One network trained by two processes and by one: validation loss over five seeds, and seconds, side by side.

`python bench/ranks.py [--seeds 5] [--processes 2] [option of vae run ...]` trains avatars of 32 x 32 with each seed by
`torchrun -m twofold vae run` and by `twofold vae run` on one thread, the same split and number of steps. It prints both
losses (nats per image, weights of the best epoch), their mean difference and what two seeds of one process differ by.
Then it ends a training of several processes after its first checkpoint and lets one go on. It fails when the mean
difference exceeds twice its standard error by seeds and a fifth of the spread over seeds, or the resumed run is no run.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

SETTINGS = ["--image.size", "32", "--image.avatars", "600", "--recipe", "plain", "--train.epochs", "20"]
SETTINGS += ["--train.patience", "100", "--score.iw-images", "5", "--score.sample-images", "0"]
ONE_THREAD = os.environ | {"OMP_NUM_THREADS": "1"}


def start(words: list[str], processes: int) -> subprocess.Popen[bytes]:
    """Starts `vae run` in so many processes, each with one thread."""
    launch = ["-m", "torch.distributed.run", "--nproc-per-node", str(processes)] if processes > 1 else []
    command = [sys.executable, *launch, "-m", "twofold", "vae", "run", *words]
    return subprocess.Popen(command, env=ONE_THREAD, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def run(words: list[str], processes: int) -> float:
    """Runs it to its end; wall time in seconds."""
    began = time.perf_counter()
    if start(words, processes).wait():
        raise SystemExit(f"vae run failed with {processes} processes: {' '.join(words)}")
    return time.perf_counter() - began


def loss_of(folder: Path) -> float:
    """The lowest validation loss of a run."""
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return min(json.loads(line)["validation_loss"] for line in lines)


def main() -> int:
    """Runs both for each seed, then a training that goes on with one process."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--processes", type=int, default=2)
    flags, more = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as scratch:
        losses, seconds = np.zeros((flags.seeds, 2)), np.zeros((flags.seeds, 2))
        for seed in range(flags.seeds):
            for column, processes in enumerate((flags.processes, 1)):
                out = Path(scratch) / f"{seed}-{processes}"
                words = [*SETTINGS, *more, "--seed", str(seed), "--out", str(out), "--cache", f"{scratch}/cache"]
                seconds[seed, column] = run(words, processes)
                losses[seed, column] = loss_of(out)
            print(f"seed {seed}: {flags.processes} processes {losses[seed, 0]:.2f}, one {losses[seed, 1]:.2f} nats")
        gap, spread = losses[:, 0] - losses[:, 1], losses[:, 1].std(ddof=1)
        error = gap.std(ddof=1) / len(gap) ** 0.5
        print(f"mean difference {gap.mean():+.2f} ± {error:.2f} (standard error), spread over seeds {spread:.2f} nats")
        print(f"seconds: {seconds[:, 0].mean():.1f} and {seconds[:, 1].mean():.1f}, the whole command")
        out = Path(scratch) / "cut"
        words = [*SETTINGS, *more, "--train.epochs", "60", "--out", str(out), "--cache", f"{scratch}/cache"]
        process, state = start(words, flags.processes), out / "checkpoint" / "state.safetensors"
        while process.poll() is None and not state.exists():
            time.sleep(0.1)
        process.terminate()
        process.wait()
        cut = not (out / "DONE").exists()
        run(words, 1)
        print(f"cut after its first checkpoint ({cut}), gone on with by one process: {loss_of(out):.2f} nats")
        return int(not cut or abs(gap.mean()) > max(2 * error, 0.2 * spread))


if __name__ == "__main__":
    sys.exit(main())
