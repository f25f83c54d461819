"""Known vulnerabilities of the versions that constraints.txt pins, by pip-audit and OSV's database.

`python tools/audit.py` exits with 1 where a version has a known vulnerability. Where the database can't be reached, or
doesn't know that an old release of Jinja2 is vulnerable, nothing was audited: that is said, and is no failure. Another
address of the database can be named in PIP_AUDIT_OSV_URL.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

PINS = Path(__file__).parents[1] / "constraints.txt"
KNOWN = "jinja2==2.10"
"""A release with known vulnerabilities (CVE-2019-10906, and later ones): who finds none here has looked nowhere."""
SILENT = re.compile(r"requests\.exceptions\.|ServiceError$|network may be blocking")
"""What the last line that pip-audit writes tells of a service that gives no answer."""
TIMEOUT_S = 10


class NoAnswerError(Exception):
    """The database gave no answer."""


def ask(pins: Path) -> list[dict[str, Any]]:
    """What pip-audit found of each pin.

    Raises:
        NoAnswerError: when the database can't be reached.
    """
    options = [*("--no-deps", "--disable-pip", "--progress-spinner", "off", "--timeout", str(TIMEOUT_S))]
    options += ["--vulnerability-service", "osv", "--format", "json", "--requirement", str(pins)]
    ended = subprocess.run([sys.executable, "-m", "pip_audit", *options], capture_output=True, text=True, check=False)
    if ended.stdout.startswith("{"):
        return json.loads(ended.stdout)["dependencies"]
    last = ended.stderr.strip().rpartition("\n")[2]
    if SILENT.search(last):
        raise NoAnswerError(last.partition(":")[0])
    raise RuntimeError(f"pip-audit ended with {ended.returncode}:\n{ended.stderr}")


def answers() -> None:
    """Makes sure that the database finds something where something is.

    Raises:
        NoAnswerError: when it doesn't.
    """
    with tempfile.TemporaryDirectory() as folder:
        pins = Path(folder) / "known.txt"
        pins.write_text(f"{KNOWN}\n", encoding="utf-8")
        if not any(found.get("vulns") for found in ask(pins)):
            raise NoAnswerError(f"it knows nothing against {KNOWN}, which is vulnerable")


def main() -> int:
    """Prints what was found; the exit status."""
    try:
        answers()
        found = ask(PINS)
    except NoAnswerError as error:
        sys.stdout.write(
            f"not audited: no version of {PINS.name}; the database of vulnerabilities gave no answer ({error})\n"
        )
        return 0
    for each in found:
        if reason := each.get("skip_reason"):
            sys.stdout.write(f"not audited: {each['name']} ({reason})\n")
    wrong = [each for each in found if each.get("vulns")]
    for each in wrong:
        for flaw in each["vulns"]:
            fixed = f"fixed in {', '.join(flaw['fix_versions'])}" if flaw["fix_versions"] else "no release fixes it"
            sys.stdout.write(f"vulnerable: {each['name']} {each['version']}: {flaw['id']}, {fixed}\n")
    audited = sum("vulns" in each for each in found)
    sys.stdout.write(f"audited: {audited} of {len(found)} versions; {len(wrong)} with known vulnerabilities\n")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
