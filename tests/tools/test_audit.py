"""The audit of pinned versions, with a database of vulnerabilities on this machine."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

import audit


def flaw(name: str, *fixed: str) -> dict[str, Any]:
    events = [{"introduced": "0"}, *({"fixed": version} for version in fixed)]
    ranges = [{"type": "ECOSYSTEM", "events": events}]
    affected = [{"package": {"name": name, "ecosystem": "PyPI"}, "ranges": ranges}]
    return {"id": f"GHSA-{name}", "summary": "It is bad.", "affected": affected}


class Database(HTTPServer):
    """Answers as OSV does: the flaws of the versions that it knows as vulnerable."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.flaws: dict[tuple[str, str], dict[str, Any]] = {}
        self.status = 200


class Answer(BaseHTTPRequestHandler):
    server: Database

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        found = self.server.flaws.get((asked["package"]["name"], asked["version"]))
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(json.dumps({"vulns": [found]} if found else {}).encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Database]:
    """A database that knows old Jinja2; the pins are two."""
    pins = tmp_path / "constraints.txt"
    pins.write_text("# Pins.\nidna==3.20\nh11==0.15.0\n")
    monkeypatch.setattr(audit, "PINS", pins)
    with Database() as found:
        found.flaws["jinja2", "2.10"] = flaw("jinja2", "2.10.1")
        monkeypatch.setenv("PIP_AUDIT_OSV_URL", f"http://127.0.0.1:{found.server_port}/query")
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield found
        found.shutdown()


def test_versions_without_a_known_vulnerability_pass(database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit.main() == 0
    assert capsys.readouterr().out == "audited: 2 of 2 versions; 0 with known vulnerabilities\n"


def test_a_vulnerable_version_fails(database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    database.flaws["h11", "0.15.0"] = flaw("h11", "0.16.0")
    database.flaws["idna", "3.20"] = flaw("idna")
    assert audit.main() == 1
    said = capsys.readouterr().out
    assert "vulnerable: h11 0.15.0: GHSA-h11, fixed in 0.16.0" in said
    assert "vulnerable: idna 3.20: GHSA-idna, no release fixes it" in said
    assert "2 with known vulnerabilities" in said


@pytest.mark.parametrize("how", ["nobody answers", "an error is answered", "nothing is known"])
def test_where_nothing_can_be_learned_nothing_is_audited_and_that_is_said(
    how: str, database: Database, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if how == "nobody answers":
        monkeypatch.setenv("PIP_AUDIT_OSV_URL", "http://127.0.0.1:9/query")
    elif how == "an error is answered":
        database.status = 503
    else:
        database.flaws.clear()
    assert audit.main() == 0
    assert capsys.readouterr().out.startswith("not audited: no version of constraints.txt; ")


def test_another_fault_of_the_audit_is_shown(database: Database) -> None:
    audit.PINS.write_text("no pin at all ===\n")
    with pytest.raises(RuntimeError, match="pip-audit ended with 1"):
        audit.main()
