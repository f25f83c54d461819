"""`twofold app`: what it refuses, and one server on a real port."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from app.folders import put
from twofold import cli


def _refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert cli.main(["app", *arguments]) == 2
    return capsys.readouterr().err


def test_a_folder_that_is_none_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "is no folder" in _refused([str(tmp_path / "none")], capsys)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "runs.example"])
def test_other_computers_need_a_token(tmp_path: Path, host: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "give --token-file" in _refused([str(tmp_path), "--host", host], capsys)


@pytest.mark.parametrize("text", ["", "short", "two words of many letters", None])
def test_a_token_is_one_long_word(tmp_path: Path, text: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "token"
    if text is not None:
        file.write_text(text)
    assert f"--token-file {file}" in _refused([str(tmp_path), "--token-file", str(file)], capsys)


def test_a_port_out_of_range_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "--port" in _refused([str(tmp_path), "--port", "65536"], capsys)


def test_a_missing_extra_names_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert "pip install 'twofold[app]'" in _refused([str(tmp_path)], capsys)


def _seconds(host: str, times: int) -> list[float]:
    connection, found = http.client.HTTPConnection(host), []
    for _ in range(times):
        began = time.perf_counter()
        connection.request("GET", "/api/runs")
        connection.getresponse().read()
        found.append(time.perf_counter() - began)
    connection.close()
    return found[1:]


def test_it_serves_on_a_port_until_it_is_interrupted(tmp_path: Path) -> None:
    put(tmp_path / "run", "vae run")
    command = [sys.executable, "-m", "twofold", "app", str(tmp_path), "--port", "0", "--open", "no"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ) as server:
        try:
            assert server.stdout is not None
            address = re.search(r"http://127\.0\.0\.1:\d+/", server.stdout.readline())
            assert address is not None
            with urllib.request.urlopen(f"{address[0]}api/runs", timeout=60) as answer:
                assert [run["id"] for run in json.load(answer)] == ["run"]
            # On a connection that is kept; it takes 0.04 where each answer awaits an acknowledgement.
            assert min(_seconds(address[0].split("/")[2], 10)) < 0.035
            command[-3] = address[0].rpartition(":")[2].rstrip("/")
            busy = subprocess.run(command, capture_output=True, text=True, check=False)
            assert busy.returncode == 2 and "give another --port" in busy.stderr
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(60)
    assert server.returncode == 0
