"""The search: the settings given first, budgets, interruptions, trials without a figure, several processes."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tune.toy import Toy, objective, tuned
from twofold.cli import main
from twofold.engine.errors import DamagedError, InputError
from twofold.tune.search import _slots
from twofold.tune.store import Store


def drawn(found: dict[str, Any]) -> list[tuple[Any, ...]]:
    """What trials are, without times."""
    return [(each["state"], each["value"], each["values"], each["course"]) for each in found["trials"]]


def test_the_settings_given_are_the_first_trial_and_the_best_gives_its_figure_again(tmp_path: Path) -> None:
    found = tuned(tmp_path / "a", trials=12)
    first, best = found["trials"][0], found["best"]
    assert first["default"] and first["values"] == {"group.rate": 0.5, "group.kind": "round", "group.depth": 2}
    assert sum(each["default"] for each in found["trials"]) == 1
    values = [each["value"] for each in found["trials"] if each["value"] is not None]
    assert best["value"] == min(values) <= found["default"]["value"]
    config = Toy.from_json((tmp_path / "a" / "best.json").read_text(), "best.json")
    assert objective({}, config, lambda *_: None)[0] == best["value"]
    assert [row["name"] for row in found["space"]] == ["group.rate", "group.kind", "group.depth"]
    assert main(["runs", "check", str(tmp_path / "a")]) == 0
    assert drawn(tuned(tmp_path / "b", trials=12)) == drawn(found)
    other = tuned(tmp_path / "c", trials=12, base=Toy(seed=1))
    assert [each["values"] for each in other["trials"][1:]] != [each["values"] for each in found["trials"][1:]]


def test_what_ctrl_c_ended_is_listed_and_not_counted_and_the_rest_is_made(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        tuned(tmp_path / "a", {"events": {3: "interrupt"}})
    assert not (tmp_path / "a" / "DONE").exists() and not (tmp_path / "a" / "best.json").exists()
    found = tuned(tmp_path / "a")
    assert found["trials"][2]["state"] == "stopped" and found["trials"][2]["why"] == "interrupted"
    assert len(found["trials"]) == 7 and found["counts"]["stopped"] == 1 and found["commands"] == 2
    assert len({str(each["values"]) for each in found["trials"]}) == 7, "no values are drawn again"


def test_the_settings_given_are_made_again_where_they_were_interrupted(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        tuned(tmp_path / "a", {"events": {1: "interrupt"}})
    found = tuned(tmp_path / "a")
    assert [each["state"] for each in found["trials"] if each["default"]] == ["stopped", "finished"]
    assert found["default"]["state"] == "finished"


def test_what_a_kill_ended_is_marked_when_the_command_goes_on(tmp_path: Path) -> None:
    script = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from pathlib import Path
from tune.toy import tuned
tuned(Path({str(tmp_path / "a")!r}), {{"sleep_s": 0.4}}, trials=5)
"""
    process = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL)
    log = tmp_path / "a" / "trials-1.log"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (log.exists() and b'"trial_id":2' in log.read_bytes()):
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    found = tuned(tmp_path / "a", trials=5)
    assert found["counts"]["stopped"] == 1
    [stopped] = [each for each in found["trials"] if each["state"] == "stopped"]
    assert stopped["why"] == "killed"
    assert len(found["trials"]) == 6
    assert not log.exists() and (tmp_path / "a" / "trials-2.log").exists()
    assert found["spent_s"] > 0.4, "that of the killed command counts"


def test_trials_without_a_figure_are_listed_with_the_reason(tmp_path: Path) -> None:
    found = tuned(tmp_path / "a", {"events": {2: "diverge", 3: "refuse", 10: "bad"}}, trials=20)
    second, third, tenth = (found["trials"][number] for number in (1, 2, 9))
    assert (second["state"], second["why"]) == ("diverged", "diverged: the loss became nan at epoch 1")
    assert (third["state"], third["why"]) == ("refused", "not possible: too few data")
    assert tenth["state"] == "pruned" and "worse than the median" in tenth["why"] and len(tenth["course"]) < 10
    assert all(each["value"] is None for each in (second, third, tenth))
    assert found["best"]["state"] == "finished"


def test_a_trial_is_given_up_while_there_is_something_to_save(tmp_path: Path) -> None:
    trials = tuned(tmp_path / "a", {"events": {7: "bad", 8: "late"}}, trials=8)["trials"]
    assert trials[6]["state"] == "pruned" and len(trials[6]["course"]) < 10
    assert trials[7]["state"] == "finished" and trials[7]["course"][-1] == 10.0


def test_a_search_without_a_finished_trial_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no trial was finished"):
        tuned(tmp_path / "a", {"events": dict.fromkeys(range(1, 7), "diverge")})
    with pytest.raises(InputError, match="too few data"):  # of the settings given
        tuned(tmp_path / "b", {"events": {1: "refuse"}})


def test_the_budget_holds_over_all_commands(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        tuned(tmp_path / "a", {"sleep_s": 1.2, "events": {1: "interrupt"}}, trials=0, budget_s=0.5)
    with pytest.raises(InputError, match="no trial was finished"):
        tuned(tmp_path / "a", trials=0, budget_s=0.5)
    found = tuned(tmp_path / "a", {"sleep_s": 0.2}, trials=0, budget_s=3.0)  # raised: it goes on
    assert [each["state"] for each in found["trials"][:2]] == ["stopped", "finished"]
    assert 0.6 < found["spent_s"] < 3.0 + max(each["seconds"] for each in found["trials"])
    more = tuned(tmp_path / "a", {"sleep_s": 0.2}, trials=0, budget_s=found["spent_s"] + 2.0)
    assert len(more["trials"]) > len(found["trials"])
    assert more["trials"][: len(found["trials"])] == found["trials"]


def test_a_trial_that_would_likely_exceed_the_budget_is_not_begun(tmp_path: Path) -> None:
    found = tuned(tmp_path / "a", {"sleep_s": 0.3}, trials=0, budget_s=0.5, trial_s=0.3)
    assert len(found["trials"]) == 1


def test_importances_are_told_from_enough_trials(tmp_path: Path) -> None:
    assert tuned(tmp_path / "a", trials=8)["importance"] is None
    found = tuned(tmp_path / "b", trials=40)["importance"]
    assert sum(found.values()) == pytest.approx(1.0) and len(found) == 3


def test_a_changed_file_of_trials_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        tuned(tmp_path / "a", {"events": {3: "interrupt"}})
    log = tmp_path / "a" / "trials-1.log"
    content = log.read_bytes()
    log.write_bytes(content.replace(b'"value', b'"valve', 1))
    with pytest.raises(DamagedError, match=r"trials-1\.log"):
        tuned(tmp_path / "a")
    log.write_bytes(content)
    assert len(tuned(tmp_path / "a")["trials"]) == 7


def test_several_processes_share_the_trials(tmp_path: Path) -> None:
    found = tuned(tmp_path / "a", {"sleep_s": 0.3}, trials=7, jobs=2)
    assert len(found["trials"]) == 7 and sum(each["default"] for each in found["trials"]) == 1
    trials = Store(tmp_path / "a").open().get_all_trials(0)
    ends = [(trial.datetime_start, trial.datetime_complete) for trial in sorted(trials, key=lambda each: each.number)]
    assert any(start < end for (_, end), (start, _) in itertools.pairwise(ends)), "at the same time"  # pyright: ignore
    log = (tmp_path / "a" / "trials-1.log").read_text().splitlines()
    made = [json.loads(line).get("user_attr", {}).get("slot") for line in log]
    assert made.count(0) == 4 and made.count(1) == 3


def test_a_number_of_trials_is_shared_out() -> None:
    for quota in range(9):
        shares = [slot.quota for slot in _slots(quota, 3)]
        assert sum(share or 0 for share in shares) == quota and 0 not in shares
