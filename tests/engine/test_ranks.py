"""Several processes that train together: parts of batches, and the training of one process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.ranks_script import batches
from engine.training import PLAN, fresh, loss, monitor
from twofold.engine.loop import fit
from twofold.engine.ranks import ALONE, Ranks, join


@given(st.integers(1, 40), st.integers(1, 5))
def test_parts_of_a_batch_are_the_batch(rows: int, world: int) -> None:
    batch = torch.arange(rows)
    parts = [Ranks(rank, world).part(batch) for rank in range(world)]
    if rows < world:
        assert all(part.equal(batch) for part in parts)
    else:
        assert sorted(torch.cat(parts).tolist()) == batch.tolist() and min(map(len, parts)) >= 1
    values = batch.double() ** 2
    weights = [Ranks(rank, world).weight(batch) for rank in range(world)]
    means = [float(values[part].mean()) * weight for part, weight in zip(parts, weights, strict=True)]
    assert sum(means) / world == pytest.approx(float(values.mean()))


def test_a_process_by_itself_decides_by_itself() -> None:
    assert join() is ALONE and ALONE.first
    assert ALONE.agree(True) and not ALONE.agree(False)
    assert ALONE.tell("word") == "word" and ALONE.mean(torch.tensor([3.0])).item() == 3.0
    assert ALONE.together(torch.nn.Linear(1, 1), loss) is loss


def test_three_processes_train_as_one_does(tmp_path: Path) -> None:
    alone = fresh(normed=True)
    list(fit(alone, PLAN, batches, loss, monitor))
    folder = Path(__file__).parent
    words = ["--nproc-per-node", "3", str(folder / "ranks_script.py"), str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(folder.parent), *sys.path])}
    ended = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    first, *others = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(3))
    assert all(other == first for other in others) and first["world"] == 3
    assert first["best"] == alone.best_epoch and len(first["records"]) == alone.epoch
    for mine, theirs in zip(alone.history, first["records"], strict=True):
        same = ("train_loss", "validation_loss", "learning_rate")  # the size of a part is not that of the batch
        assert [theirs[key] for key in same] == pytest.approx([mine[key] for key in same], rel=1e-4)
    for name, weight in alone.module.state_dict().items():
        assert torch.allclose(weight, torch.tensor(first["weights"][name]), rtol=1e-3, atol=1e-4), name
