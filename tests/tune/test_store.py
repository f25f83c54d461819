"""Trials in a database: a real server, two commands on one study, and a password that is written nowhere."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tune.postgres import PASSWORD, QUOTED, server
from tune.toy import tuned
from twofold.cli import main
from twofold.engine.errors import InputError
from twofold.tune.search import refuse_foreign_storage
from twofold.tune.store import Store, hidden, without_password
from vae.small import discs, folder_of
from vae.test_commands import FLAGS


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with server() as address:
        yield address


def betrayed(folder: Path) -> list[Path]:
    """The files that hold the password, in any of its forms."""
    words = [PASSWORD.encode(), QUOTED.encode(), quote(PASSWORD).encode()]
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return [path for path in files if any(word in path.read_bytes() for word in words)]


@pytest.mark.postgres
def test_two_commands_at_the_same_time_share_a_study(url: str, tmp_path: Path) -> None:
    """Each with a folder, a budget and processes of its own; both know all trials in the end, or all so far."""
    found, errors = {}, []

    def command(name: str) -> None:
        try:
            found[name] = tuned(tmp_path / name, {"sleep_s": 0.2}, trials=4, url=url)
        except BaseException as error:  # noqa: BLE001  told by the test
            errors.append(error)

    threads = [threading.Thread(target=command, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    last = max(found.values(), key=lambda each: each["counts"]["finished"] + each["counts"].get("pruned", 0))
    assert last["counts"]["finished"] + last["counts"].get("pruned", 0) == len(last["trials"]) == 8
    assert len({str(each["values"]) for each in last["trials"] if not each["default"]}) >= 6
    assert betrayed(tmp_path) == []


@pytest.mark.postgres
def test_a_command_goes_on_in_the_database(url: str, tmp_path: Path) -> None:
    folder = tmp_path / "c"
    with pytest.raises(KeyboardInterrupt):
        tuned(folder, {"events": {3: "interrupt"}}, trials=5, trial_s=1.0, url=url)
    with pytest.raises(InputError, match="its trials are kept in a database"):
        refuse_foreign_storage(folder, Store(folder))
    found = tuned(folder, trials=5, trial_s=1.0, url=url)
    assert len(found["trials"]) == 6 and found["counts"]["stopped"] == 1 and found["commands"] == 2
    assert not list(folder.glob("trials-*.log"))


@pytest.mark.postgres
def test_a_command_line_with_a_password_leaves_none(
    url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder_of(discs(40), tmp_path / "discs")
    words = [*FLAGS, "--images", str(tmp_path / "discs"), "--cache", str(tmp_path / "cache"), "--trials", "2"]
    out = tmp_path / "tune"
    assert main(["vae", "tune", *words, "--jobs", "1", "--out", str(out), "--storage", url]) == 0
    assert "postgresql://ann:***@/trials" in json.loads((out / "manifest.json").read_text())["command"][-1]
    assert main(["vae", "tune", *words, "--out", str(out), f"--storage={url}"]) == 0
    assert main(["runs", "show", str(out)]) == 0
    shown = capfd.readouterr()
    assert betrayed(out) == [] and PASSWORD not in shown.out + shown.err and QUOTED not in shown.out + shown.err


@pytest.mark.postgres
@pytest.mark.parametrize("wrong", ["password", "database", "server"])
def test_a_database_that_can_not_be_reached_is_named_without_its_password(wrong: str, url: str, tmp_path: Path) -> None:
    changed = {
        "password": url.replace("s3cret", "s4cret"),
        "database": url.replace("/trials", "/nothing"),
        "server": url.replace("host=/tmp/pg-", "host=/tmp/no-"),
    }[wrong]
    with pytest.raises(InputError) as refused:
        tuned(tmp_path / "d", trials=1, url=changed)
    message = str(refused.value)
    assert message.startswith("--storage postgresql://ann:***@/") and "once the database can be reached" in message
    assert "cret" not in message and betrayed(tmp_path) == []


ADDRESSES = {
    "postgresql://ann@db/x": "postgresql://ann@db/x",
    "postgresql://ann:pw@db:5/x": "postgresql://ann:***@db:5/x",
    "postgresql://ann:p%40w@db/x": "postgresql://ann:***@db/x",
    "postgresql://ann:p@w@db/x": "postgresql://ann:***@db/x",
    "postgresql://ann:p/w?@db/x": "postgresql://ann:***@db/x",
    "postgresql://ann@db/x?password=pw": "postgresql://ann@db/x?password=***",
    "postgresql://db/x?sslmode=require&password=pw&port=1": "postgresql://db/x?sslmode=require&password=***&port=1",
}


@pytest.mark.parametrize("url", ADDRESSES)
def test_a_password_is_hidden_wherever_it_stands(url: str) -> None:
    assert hidden(url) == ADDRESSES[url]
    assert without_password(["--storage", url, "--out", "a:b@c"]) == ["--storage", ADDRESSES[url], "--out", "a:b@c"]
    assert without_password([f"--storage={url}"]) == [f"--storage={ADDRESSES[url]}"]


def test_another_kind_of_database_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ["vae", "tune", "--image.avatars", "10", "--image.size", "8", "--cache", str(tmp_path)]
    assert main([*words, "--storage", "mysql://ann:pw@db/x"]) == 2
    shown = capsys.readouterr().err
    assert "--storage mysql://ann:***@db/x: must begin with postgresql://" in shown


def test_a_file_is_not_gone_on_with_in_a_database(tmp_path: Path) -> None:
    tuned(tmp_path / "a", trials=1)
    with pytest.raises(InputError, match="leave --storage out"):
        refuse_foreign_storage(tmp_path / "a", Store(tmp_path / "a", "postgresql://db/x"))
    refuse_foreign_storage(tmp_path / "a", Store(tmp_path / "a"))
