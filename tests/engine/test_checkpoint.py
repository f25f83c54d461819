"""Checkpoints: saving and loading, refusal of other files, and a crash that leaves the old file."""

import json
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from engine.training import PLAN, batches, fresh, loss, monitor, same_training
from twofold.engine.checkpoint import load_state, save_state
from twofold.engine.errors import RunFolderError
from twofold.engine.files import write_bytes
from twofold.engine.loop import TrainState, fit


@pytest.fixture(scope="module")
def trained() -> TrainState:
    state = fresh(0.3)
    list(fit(state, PLAN, batches, loss, monitor))
    return state


def test_a_state_comes_back_whole(trained: TrainState, tmp_path: Path) -> None:
    save_state(trained, tmp_path / "new" / "state.safetensors")
    again = fresh(0.3)

    assert load_state(again, tmp_path / "new" / "state.safetensors")
    same_training(trained, again)
    assert again.history == trained.history
    assert [item.name for item in (tmp_path / "new").iterdir()] == ["state.safetensors"]


def test_a_state_without_a_best_epoch_comes_back(tmp_path: Path) -> None:
    state, again = fresh(), fresh()
    next(fit(state, PLAN, batches, loss))
    save_state(state, tmp_path / "state.safetensors")

    assert load_state(again, tmp_path / "state.safetensors")
    same_training(state, again)
    assert again.best is None


def test_no_file_changes_nothing(tmp_path: Path) -> None:
    state = fresh()
    assert not load_state(state, tmp_path / "none.safetensors")
    assert state.epoch == 0
    assert all(torch.equal(a, b) for a, b in zip(state.module.parameters(), fresh().module.parameters(), strict=True))


class Bomb:
    """Fails the test when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return pytest.fail, ("a pickle was loaded",)


def _without_history(whole: Path, path: Path) -> None:
    state = fresh()
    about = json.dumps({"best_epoch": 0, "best_loss": 1.0})
    save_file({f"module.{k}": v for k, v in state.module.state_dict().items()}, path, {"state": about})


SPOILT = {
    "cut in the tensors": lambda whole, path: path.write_bytes(whole.read_bytes()[:-40]),
    "cut in the head": lambda whole, path: path.write_bytes(whole.read_bytes()[:30]),
    "empty": lambda whole, path: path.write_bytes(b""),
    "a folder": lambda whole, path: path.mkdir(),
    "text": lambda whole, path: path.write_text("state of the art\n" * 20),
    "a pickle": lambda whole, path: path.write_bytes(pickle.dumps(Bomb())),
    "a pickle of torch": lambda whole, path: torch.save({"state": Bomb()}, path),
    "a model, no state": lambda whole, path: save_file({"first.weight": torch.zeros(3)}, path),
    "another network": lambda whole, path: save_file({"module.x": torch.zeros(3)}, path, {"state": "{}"}),
    "metadata that is no JSON": lambda whole, path: save_file({"x": torch.zeros(3)}, path, {"state": "{"}),
    "no history": _without_history,
}


@pytest.mark.parametrize("kind", SPOILT)
def test_what_is_no_checkpoint_is_refused(trained: TrainState, tmp_path: Path, kind: str) -> None:
    whole, path = tmp_path / "whole.safetensors", tmp_path / "state.safetensors"
    save_state(trained, whole)
    SPOILT[kind](whole, path)

    with pytest.raises(RunFolderError) as refused:
        load_state(fresh(0.3), path)
    assert str(refused.value).startswith(f"{path}: not a checkpoint of this network")
    assert "--overwrite" in str(refused.value)


def test_a_failed_write_leaves_the_old_file_and_no_other(
    trained: TrainState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state.safetensors"
    save_state(trained, path)
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError("no space left on device")

    for name in ("replace", "open"):
        with monkeypatch.context() as broken:
            broken.setattr(Path, name, fail)
            with pytest.raises(OSError, match="no space"):
                save_state(fresh(), path)
        assert path.read_bytes() == before
        assert [item.name for item in tmp_path.iterdir()] == [path.name]


WRITER = """
import itertools, sys
from pathlib import Path
from twofold.engine.files import write_bytes
for i in itertools.count():
    write_bytes(Path(sys.argv[1]), bytes([i % 256]) * 4_000_000)
"""


@pytest.mark.slow
def test_whenever_a_writer_is_killed_the_file_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    struck = 0
    for attempt in range(20):
        write_bytes(path, b"old" * 10)
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)])
        while path.read_bytes() == b"old" * 10:
            assert writer.poll() is None
        time.sleep(0.0037 * attempt)
        writer.send_signal(signal.SIGKILL)
        assert writer.wait() == -signal.SIGKILL
        content = path.read_bytes()
        assert len(content) == 4_000_000
        assert len(set(content)) == 1
        struck += any(item != path for item in tmp_path.iterdir())
        if struck == 3:
            break
    assert struck == 3, "no kill fell into a write"
