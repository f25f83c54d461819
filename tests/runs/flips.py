"""Flipping bits of the files of a folder, and what becomes of the command that reads them.

Which files a command opens is taken from Python's own audit events, so that no list of readers has to be kept.
"""

import contextlib
import functools
import io
import os
import random
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from app.folders import Client
from hub.season_small import FIRST
from runs.every_kind import Made
from twofold.app.runs import name_of
from twofold.cli import main
from twofold.engine.errors import DamagedError
from twofold.engine.sound import JOURNAL, LOOSE, MANIFEST, begin

Told = tuple[bool, str]
"""Whether a reader refused, and all that it said."""
_LOGS = (*LOOSE[:3], "locks")


class Reader(NamedTuple):
    """Something that reads a folder's files."""

    name: str
    read: Callable[[], Told]


_opened: set[str] | None = None


def _note(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and _opened is not None and isinstance(arguments[0], str | bytes | Path):
        _opened.add(os.path.realpath(os.fsdecode(arguments[0])))


@functools.cache
def _listen() -> None:
    sys.addaudithook(_note)  # it can't be taken away again


@contextlib.contextmanager
def opened() -> Iterator[set[str]]:
    """The files that are opened meanwhile."""
    global _opened  # noqa: PLW0603  (a hook is there for all)
    _listen()
    _opened = set()
    try:
        yield _opened
    finally:
        _opened = None


def command(*words: str) -> Callable[[], Told]:
    """A command line, in this process."""

    def read() -> Told:
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            try:
                status = main(words)
            except SystemExit as ended:
                status = int(ended.code or 0)
        assert status in (0, 2), f"{' '.join(words)}: status {status}\n{said.getvalue()}"
        return status == 2, re.sub(r"\s+", " ", said.getvalue())

    return read


def page(root: Path, address: str) -> Callable[[], Told]:
    """A page of the app, or an answer of its API; nothing is kept from an earlier one."""

    def read() -> Told:
        for name in [name for name in sys.modules if name.startswith("twofold.app.")]:
            for each in vars(sys.modules[name]).values():
                if isinstance(each, functools._lru_cache_wrapper):
                    each.cache_clear()
        answer = Client(root).get(address)
        assert answer.status_code in (200, 404, 409), f"{address}: {answer.status_code} {answer.text}"
        return answer.status_code != 200, answer.text

    return read


def report(write: Callable[[Path], object], folder: Path) -> Callable[[], Told]:
    """The page of a folder, drawn again."""

    def read() -> Told:
        try:
            write(folder)
        except DamagedError as error:
            return True, str(error)
        return False, ""

    return read


def readers(made: Made, given: dict[str, Path], out: Path) -> list[Reader]:
    """All that reads the files of a finished folder."""
    folder, root = made.folder, made.folder.parent
    name = name_of(folder, root)
    of = str(folder)
    words = [["runs", "show", of], ["runs", "list", str(root)]]
    if made.kind != "hub fit":
        words += [made.words, ["runs", "compare", of, of]]
    images = ["--images", str(given["discs"]), "--device", "cpu", *made.words[4:6]]
    words += {
        "trend run": [["trend", "score", of], ["trend", "predict", of]],
        "vae run": [
            ["vae", "sample", of, "--number", "2", "--device", "cpu", "--out", str(out / "samples.png")],
            ["vae", "score", of],
            ["vae", "traverse", of, *images, "--out", str(out / "moved.png")],
        ],
        "hub fit": [
            [
                *("hub", "forecast", "--model", of, "--out", str(out), "--vintages", str(given["vintages"])),
                *("--locations", str(given["locations"]), "--hub", str(given["rules"]), "--reference-date", str(FIRST)),
            ]
        ],
    }.get(made.kind, [])
    found = [Reader(" ".join(each[:2]), command(*each)) for each in words]
    if made.kind == "hub fit":
        return found
    addresses = ["/", f"/runs/{name}", f"/runs/{name}/report", f"/api/runs/{name}"]
    addresses += {
        "trend run": [f"/api/runs/{name}/regions/0", f"/api/runs/{name}/dates/0"],
        "vae run": [f"/api/runs/{name}/images/0"],
        "hub backtest": [f"/api/runs/{name}/hub/places/0"],
    }.get(made.kind, [])
    found += [Reader(f"GET {address}", page(root, address)) for address in addresses]
    return [*found, Reader("report", report(_writer(made.kind), folder))]


def _writer(kind: str) -> Callable[[Path], object]:
    from twofold.hub.report import view
    from twofold.trend.report import original, walk
    from twofold.trend.report import run as trend_run
    from twofold.tune.report import page
    from twofold.vae.report import run as vae_run
    from twofold.vae.report import sweep

    return {
        "trend run": trend_run.write,
        "trend backtest": walk.write,
        "trend study": original.write,
        "vae run": vae_run.write,
        "vae sweep": sweep.write,
        "vae tune": page.write,
        "hub backtest": view.write,
    }[kind]


def files(folder: Path) -> list[Path]:
    """The files of a folder that hold something, without logs and locks."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.stat().st_size and not set(path.relative_to(folder).parts) & set(_LOGS)
    ]


def who_opens(found: Iterable[Reader]) -> dict[str, list[Reader]]:
    """The readers of each file."""
    table: dict[str, list[Reader]] = {}
    for reader in found:
        with opened() as seen:
            refused, said = reader.read()
        assert not refused or "404" in said or "not_found" in said, f"{reader.name} refuses a sound folder: {said}"
        for path in seen:
            table.setdefault(path, []).append(reader)
    return table


def tidy(folder: Path) -> None:
    """One line a file, also where a page was drawn again: a bit of a line that another one repeats harms nothing."""
    for journal in folder.rglob(JOURNAL):
        begin(journal.parent)


@contextlib.contextmanager
def flipped(path: Path, chance: random.Random) -> Iterator[str]:
    """A file with one bit flipped, which is put back afterwards."""
    before = path.read_bytes()
    place, bit = chance.randrange(len(before)), chance.randrange(8)
    path.write_bytes(before[:place] + bytes([before[place] ^ 1 << bit]) + before[place + 1 :])
    try:
        yield f"byte {place}, bit {bit}"
    finally:
        if path.parent.is_dir():
            path.write_bytes(before)


def tried(path: Path, reader: Reader) -> str:
    """What a reader makes of a changed file: `named`, `made again`, `not read` or, never, `USED`."""
    with opened() as seen:
        refused, said = reader.read()
    if (path.name in said and refused) or re.search(r">damaged<|\"damaged\": ?true|\"damaged\": \"", said):
        return "named"
    if path.name in said and "runs check" in said:  # of a list
        return "named"
    if "note:" in said and ("made again" in said or "read again" in said):
        return "made again"
    return "USED" if os.path.realpath(path) in seen else "not read"


def checked(folder: Path) -> str:
    """What `twofold runs check` makes of a folder with a changed file."""
    refused, _ = command("runs", "check", str(folder))()
    return "named" if refused else "USED"


def trial(path: Path, folder: Path, table: dict[str, list[Reader]], chance: random.Random) -> tuple[str, str, str]:
    """Flips a bit of a file and gives the folder to one of its readers.

    Returns:
        What became of it, the reader's name, and the place of the bit. Files that nothing reads, and the journal, are
        left to `runs check`; `not read` is the same: it names what no other command opens.
    """
    known = [] if path.name == JOURNAL else table.get(os.path.realpath(path), [])
    if path.name == JOURNAL:
        begin(path.parent)  # a reader that drew a page again has added lines that are there twice
    if path.parent != folder and (path.parent / MANIFEST).is_file():
        # To find a run the app looks at all; what it finds damaged there, its list tells.
        known = [each for each in known if each.name == "GET /" or not each.name.startswith("GET ")]
    with flipped(path, chance) as place:
        if known:
            reader = chance.choice(known)
            return tried(path, reader), reader.name, place
        verdict = checked(folder)
        kind = "journal" if path.name == JOURNAL else "not read"
        return (f"{kind}, named by runs check" if verdict == "named" else verdict), "runs check", place
