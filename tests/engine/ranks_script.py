"""What each of several processes runs in `test_ranks.py`: a training without noise, cut once, its records written."""

import json
import sys
from pathlib import Path

import torch

from engine.training import PLAN, fresh, loss, monitor
from twofold.engine.loop import TrainState, fit, shuffled
from twofold.engine.ranks import join

batches = shuffled(torch.arange(50), 9, PLAN.seed)
"""None has fewer rows than there are processes: those would count in the running statistics once for each."""


def train(out: Path) -> None:
    ranks = join()
    state = fresh(normed=True)
    ours = ranks.together(state.module, loss)

    def cut(state: TrainState) -> bool:
        """In the first process only: the others must follow."""
        return ranks.first and state.step == 9

    while not state.finished(PLAN):
        list(fit(state, PLAN, batches, ours, monitor, pause=cut, ranks=ranks))
    records = [{key: value for key, value in record.items() if key != "seconds"} for record in state.history]
    weights = {name: value.tolist() for name, value in state.module.state_dict().items()}
    about = {"records": records, "weights": weights, "best": state.best_epoch, "world": ranks.world}
    (out / f"{ranks.rank}.json").write_text(json.dumps(about))


if __name__ == "__main__":
    train(Path(sys.argv[1]))
