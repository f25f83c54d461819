"""No command reaches for a network unless it is asked to: each one runs where that is stopped and written down."""

import json
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub import small_hubs
from offline import Offline
from runs.every_kind import RUN, VAE, Made
from trend.small import epidemic
from twofold.cli import COMMANDS

NOT_RUN = {
    "demo": "it is `trend run` and `vae run`, which are run here, on what the package holds: no file is looked for"
}
"""Commands that need no run of their own, and why."""
ELSEWHERE = "192.0.2.1"  # an address that belongs to nobody (RFC 5737)


@pytest.fixture
def offline(tmp_path: Path) -> Offline:
    return Offline(tmp_path)


# --- the cut itself ---

REACHES = {
    "a connection": f"socket.create_connection(({ELSEWHERE!r}, 80))",
    "a name": "socket.getaddrinfo('example.org', 443)",
    "a name in bytes": "socket.gethostbyname(b'example.org')",
    "a datagram": f"socket.socket(type=socket.SOCK_DGRAM).sendto(b'', ({ELSEWHERE!r}, 9))",
    "the sixth version": "socket.socket(socket.AF_INET6).connect(('2001:db8::1', 80))",
    "a page": f"urllib.request.urlopen('http://{ELSEWHERE}/')",
    "another process": f"joblib.Parallel(2)([joblib.delayed(socket.create_connection)(({ELSEWHERE!r}, 9))] * 2)",
}


@pytest.mark.parametrize("reach", REACHES)
def test_who_reaches_for_a_network_is_stopped_and_written_down(reach: str, offline: Offline) -> None:
    imports = "import joblib, socket, urllib.request" if "joblib" in REACHES[reach] else "import socket, urllib.request"
    ended = offline.python(f"{imports}\n{REACHES[reach]}")
    assert ended.returncode == 1 and "the network is cut: socket." in ended.stderr, ended.stderr
    assert re.match(r"\d+ socket\.", offline.tried)


def test_what_a_library_hides_is_written_down(offline: Offline) -> None:
    hidden = "import contextlib, socket\nwith contextlib.suppress(Exception): socket.gethostbyname('example.org')"
    assert offline.python(hidden).returncode == 0
    assert "socket.gethostbyname example.org" in offline.tried


def test_a_command_that_is_asked_to_connect_is_written_down(offline: Offline, given: dict[str, Path]) -> None:
    pytest.importorskip("distributed")
    words = ["trend", "backtest", "--data", str(given["cases"]), "--source.kind", "cumulative"]
    offline.twofold((2, [*words, "--backend", "dask", "--cluster", f"tcp://{ELSEWHERE}:9"]))
    assert f"socket.getaddrinfo {ELSEWHERE}" in offline.tried


SCHEMA = """
from pathlib import Path
from twofold.hub.metadata import check_metadata

Path("team-model.yml").write_text("team_abbr: team")
Path("schema.json").write_text('{"properties": {"team_abbr": {"$ref": "http://192.0.2.1/schema.json"}}}')
check_metadata(Path("team-model.yml"), Path("schema.json"))
"""


def test_what_a_hubs_schema_refers_to_is_not_fetched(offline: Offline) -> None:
    ended = offline.python(SCHEMA)
    assert "DataError: schema.json: refers to http://192.0.2.1/schema.json" in ended.stderr
    assert offline.tried == ""


# --- the commands ---


@pytest.fixture
def others(made: dict[str, Made], given: dict[str, Path], tmp_path: Path) -> list[list[str]]:
    """A command line of every command that makes no folder of `made` and is not the app, in a possible order."""
    newer, hub = tmp_path / "newer.csv", small_hubs.write_hub(tmp_path / "hub", "flu")
    epidemic(dates=60).frame().select("region", "date", "value").write_csv(newer)
    return [
        *_trend(made["trend run"].folder, given, newer),
        *_hub(made["hub fit"].folder, given, hub, tmp_path),
        *_vae(made["vae run"].folder, given, tmp_path),
        *_runs(made["vae run"].folder, tmp_path / "own"),
    ]


def _trend(run: Path, given: dict[str, Path], newer: Path) -> Iterator[list[str]]:
    yield ["trend", "look", str(given["cases"])]
    yield ["trend", "predict", str(run), "--data", str(given["cases"])]
    yield ["trend", "score", str(run), "--data", str(newer)]
    tune = ["--data", str(given["cases"]), *RUN, "--jobs", "1", "--trials", "1"]
    yield ["trend", "tune", *tune, "--out", str(newer.with_name("tuned"))]


def _hub(model: Path, given: dict[str, Path], hub: Path, out: Path) -> Iterator[list[str]]:
    yield ["hub", "look", "--hub", str(hub), "--at", "2024-12-02T12:00:00-05:00"]
    season = ["--hub", str(given["rules"]), "--locations", str(given["locations"])]
    week = ["--vintages", str(given["vintages"]), "--reference-date", "2023-12-02", "--out", str(out)]
    yield ["hub", "forecast", "--model", str(model), *season, *week]
    yield ["hub", "validate", str(out / "2023-12-02-twofold-pool.csv"), *season]


def _vae(run: Path, given: dict[str, Path], out: Path) -> Iterator[list[str]]:
    images = ["--images", str(given["discs"])]
    yield ["vae", "look", str(given["discs"]), "--out", str(out / "look.png")]
    yield ["vae", "run", *VAE, "--image.avatars", "40", "--out", str(out / "own")]
    yield ["vae", "score", str(run), *images]
    for name in ("reconstruct", "interpolate", "traverse"):
        yield ["vae", name, str(run), *images, "--out", str(out / f"{name}.png")]
    yield ["vae", "sample", str(run), "--out", str(out / "sample.png")]
    yield ["vae", "encode", str(run), *images, "--out", str(out / "codes.npz")]
    yield ["vae", "export", str(run), "--to", "torchscript", "--out", str(out / "model.pt")]


def _runs(run: Path, own: Path) -> Iterator[list[str]]:
    yield ["runs", "list", str(run.parent)]
    yield ["runs", "show", str(run)]
    yield ["runs", "check", str(run)]
    yield ["runs", "compare", str(run), str(own)]
    yield ["runs", "rm", str(own), "--yes"]


def wrong() -> Iterator[list[str]]:
    """Command lines with an address where a path belongs, which are refused."""
    address = f"http://{ELSEWHERE}/cases.csv"
    for words in (["trend", "look"], ["vae", "look"], ["hub", "look", "--hub"], ["runs", "check"]):
        yield [*words, address]


def test_no_command_reaches_for_a_network(
    offline: Offline, maker: Offline, made: dict[str, Made], others: list[list[str]]
) -> None:
    offline.twofold(*((0, words) for words in others), *((2, words) for words in wrong()))
    serving(offline, made["trend run"].folder.parent)
    assert maker.tried == offline.tried == ""
    every = [*others, *(each.words for each in made.values()), ["app"], *(name.split() for name in NOT_RUN)]
    assert {words for line in every for words in COMMANDS if tuple(line[: len(words)]) == words} == set(COMMANDS)


def serving(offline: Offline, runs: Path) -> None:
    """Starts the app, asks for its pages, and stops it."""
    command = [sys.executable, "-m", "twofold", "app", str(runs), "--port", "0", "--open", "no"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, **offline.options) as server:
        try:
            assert server.stdout is not None
            address = re.search(r"http://127\.0\.0\.1:\d+", server.stdout.readline())
            assert address is not None
            with urllib.request.urlopen(f"{address[0]}/api/runs", timeout=60) as answer:
                pages = [run["page"] for run in json.load(answer) if run["page"]]
            assert len(pages) > 5
            for page in ("/", *pages):
                urllib.request.urlopen(address[0] + page, timeout=60).close()
        finally:
            server.send_signal(signal.SIGINT)
            assert server.wait(60) == 0
