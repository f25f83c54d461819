"""The commands over run folders: `list`, `check`, `show`, `compare` and `rm`."""

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from twofold.engine.errors import InputError, RunFolderError
from twofold.engine.flags import AsJson, parse
from twofold.engine.terminal import present, render
from twofold.runs.folder import Run, checkable, find, open_run, peek
from twofold.runs.kinds import Headline, written

if TYPE_CHECKING:
    from twofold.engine.sound import Audit
    from twofold.runs.paired import Beside

BESIDE = "interval, or standard error"


@dataclass(frozen=True)
class OverviewFlags:
    """Lists the run folders below a folder: kind, date, whether it is finished, and its main score.

    The runs of a sweep are not listed beside it. Dates are those of files, in UTC. Links are not followed.
    """

    folder: tyro.conf.Positional[Path] = Path("runs")
    """Where to look."""
    json: AsJson = False


def overview(argv: list[str]) -> int:
    """`twofold runs list`."""
    flags = parse(OverviewFlags, argv, "runs list")
    if not flags.folder.is_dir():
        raise InputError(f"{flags.folder}: is no folder; `twofold runs list FOLDER` looks elsewhere")
    try:
        found = find(flags.folder)
    except OSError as error:
        raise InputError(f"{error.filename}: can't be read ({error.strerror})") from error
    present([run.summary() for run in found], lambda: _listed(flags.folder, found), flags.json)
    return 0


def _listed(folder: Path, found: list[Run]) -> str:
    if not found:
        return f"no run folder below {folder}\n"
    from rich.table import Column, Table

    table = Table("kind", Column("folder", overflow="fold"), "date (UTC)", "finished", "score")
    for run in found:
        kind = run.kind.name if run.kind else "unknown"
        done = "yes" if run.done else "no"
        score = "damaged" if run.damage else _headline(run.headline)
        table.add_row(kind, str(run.path), f"{run.date:%Y-%m-%d %H:%M}", done, score)
    damaged = [f"{run.damage}; `twofold runs check {run.path}` reads all of it\n" for run in found if run.damage]
    return render(table) + "".join(damaged)


@dataclass(frozen=True)
class CheckFlags:
    """Checks that the files of run folders, hub models and the cache of images are what was written.

    Every file is read and compared with its digest in the journal of its folder, twofold.sha256. Named are those that
    have changed or are missing, and those that are not in the journal: twofold reads none of them, so they do no harm.
    Logs, which are appended to, are left out. The exit status is 2 where something has changed or is missing, and where
    there is no journal: an older version wrote the folder, or the journal was lost.
    """

    folders: tyro.conf.Positional[tuple[Path, ...]]
    """Run folders, or folders that they lie in: all below are checked."""
    json: AsJson = False


def check(argv: list[str]) -> int:
    """`twofold runs check`."""
    flags = parse(CheckFlags, argv, "runs check")
    if not flags.folders:
        raise InputError("give the run folders to check, or a folder that they lie in")

    from twofold.engine.sound import audit

    try:
        found = {path: audit(path) for folder in flags.folders for path in checkable(folder)}
    except OSError as error:
        raise RunFolderError(f"{error.filename}: can't be read ({error.strerror})") from error
    about = [{"folder": str(path), "fine": each.fine, **asdict(each)} for path, each in found.items()]
    present(about, lambda: "".join(_checked(path, each) for path, each in found.items()), flags.json)
    return 0 if all(each.fine for each in found.values()) else 2


def _checked(path: Path, found: "Audit") -> str:
    if not found.journal:
        return f"{path}: can't be checked, since it has no twofold.sha256: an older version wrote it, or it was lost\n"
    verdict = f"{found.sound} files are what was written" if found.fine else f"{found.sound} files are, these are not"
    parts = {"changed": found.changed, "missing": found.missing, "not in the journal": found.unknown}
    lines = [f"  {what}: {name}\n" for what, names in parts.items() for name in names]
    return f"{path}: {verdict}\n{''.join(lines)}"


@dataclass(frozen=True)
class ShowFlags:
    """Shows a run folder: command, versions, the settings that differ from those of its recipe, and its scores."""

    run: tyro.conf.Positional[Path]
    """A run folder, finished or not, or a model of `twofold hub fit`."""
    json: AsJson = False


def show(argv: list[str]) -> int:
    """`twofold runs show`."""
    flags = parse(ShowFlags, argv, "runs show")
    run = open_run(flags.run)
    about = run.summary() | {"manifest": run.manifest, "changed": run.changed, "scores": run.scores}
    present(about, lambda: _shown(run), flags.json)
    return 0


def _shown(run: Run) -> str:
    import shlex

    from rich.table import Table

    kind = run.kind.name if run.kind else "unknown kind"
    lines = [f"{run.path}: {kind}, {'finished' if run.done else 'unfinished'}, {run.date:%Y-%m-%d %H:%M} UTC"]
    for name, value in run.manifest.items():
        if name == "command" and isinstance(value, list):
            told = shlex.join(map(str, value))
        elif name == "versions" and isinstance(value, dict):
            told = ", ".join(f"{package} {version}" for package, version in value.items())
        else:
            told = str(value)
        lines.append(f"  {name:<12} {told}")
    changed = Table("setting", "default of its recipe", "here", title="settings that differ")
    for name, values in run.changed.items():
        changed.add_row(name, _value(values["default"]), _value(values["value"]))
    scores = Table("score", "value", BESIDE, title="scores")
    for name, score in run.scores.items():
        scores.add_row(name, *written(score))
    told = [
        render(changed) if run.changed else "every setting is that of its recipe\n",
        render(scores) if run.scores else "no scores yet\n",
    ]
    return "\n".join(lines) + "\n" + "".join(told)


@dataclass(frozen=True)
class CompareFlags:
    """Sets runs of one kind side by side: the settings that differ, the scores, and differences case by case.

    The paired differences are those of each further run to the first one, on the held-out cases of both: windows,
    images, or forecasts of a hub. Their intervals are those of the runs' own comparisons.
    """

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Two run folders or more."""
    json: AsJson = False


def compare(argv: list[str]) -> int:
    """`twofold runs compare`."""
    flags = parse(CompareFlags, argv, "runs compare")
    if len(flags.runs) < 2:
        raise InputError(f"two run folders or more are needed, got {len(flags.runs)}")

    from twofold.runs.paired import side_by_side

    about = side_by_side([open_run(path) for path in flags.runs])
    present(about, lambda: _side_by_side(about), flags.json)
    return 0


def _side_by_side(about: "Beside") -> str:
    from rich.table import Column, Table

    def heads() -> list[Column]:  # a column belongs to one table
        return [Column(run["folder"], overflow="fold") for run in about["runs"]]

    told: list[str] = []
    settings = Table("setting", *heads(), title=f"{about['kind']}: settings that differ")
    for name, values in about["settings"].items():
        settings.add_row(name, *map(_value, values))
    told.append(render(settings) if about["settings"] else f"{about['kind']}: no setting differs\n")
    scores = Table("score", *heads(), title="scores")
    for name, values in about["scores"].items():
        scores.add_row(name, *(" ".join(written(score)).strip() if score else "-" for score in values))
    told.append(render(scores))
    for each in about["paired"]:
        title = f"{each['run']} minus {each['minus']}"
        if each["why"]:
            told.append(f"{title}: not comparable case by case: {each['why']}\n")
            continue
        table: Table = Table("score", "difference", BESIDE, title=f"{title}, on {each['cases']:,} cases of both tests")
        for name, score in each["differences"].items():
            table.add_row(name, *written(score, sign="+"))
        told.append(render(table))
    return "".join(told)


@dataclass(frozen=True)
class RemoveFlags:
    """Deletes run folders, after a question.

    Refuses what is no run folder, links, and a run that another process writes to. A model of `twofold hub fit` is no
    run folder: it may lie among other files.
    """

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Run folders."""
    yes: bool = False
    """Don't ask."""


def remove(argv: list[str]) -> int:
    """`twofold runs rm`."""
    flags = parse(RemoveFlags, argv, "runs rm")
    if not flags.runs:
        raise InputError("give the run folders to delete")

    from twofold.engine.run import check_removable
    from twofold.engine.run import remove as delete

    for path in flags.runs:  # all of them before the first is deleted
        check_removable(path)
    if not flags.yes and not _agreed(flags.runs):
        sys.stderr.write("nothing was deleted\n")
        return 0
    for path in flags.runs:
        delete(path)
        sys.stdout.write(f"{path}: deleted\n")
    return 0


def _agreed(paths: Sequence[Path]) -> bool:
    """Asks on the terminal.

    Raises:
        InputError: where there is none.
    """
    if not sys.stdin.isatty():
        raise InputError("nobody can be asked here: give --yes to delete, nothing was deleted")
    for path in paths:
        run = peek(path)
        assert run is not None  # it is removable
        kind, done = run.kind.name if run.kind else "run", "finished" if run.done else "unfinished"
        sys.stderr.write(f"{path}: {kind}, {done}, {run.date:%Y-%m-%d %H:%M} UTC {_headline(run.headline)}\n")
    sys.stderr.write(f"delete {'it' if len(paths) == 1 else 'them'}? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _headline(found: Headline | None) -> str:
    if found is None:
        return "-"
    name, value = found["score"], found["value"]
    return f"{name.replace('_', ' ')} {value if isinstance(value, str) else written({'value': value})[0]}"


def _value(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else "-" if value is None else str(value)
