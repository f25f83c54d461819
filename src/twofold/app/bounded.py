"""The child process that reads an uploaded table, for `table`: what it may use has an end, whatever the file holds.

Called in the folder of the file, and with `python -P`, since nothing of that folder must ever be imported:
`... look FILE` does what `twofold trend look FILE --json` does; `... panel FILE SOURCE OUT` reads it by settings (JSON
of a `SourceConfig`), writes the panel (as `Panel.frame`) and prints its remarks as a list. The exit status is 2 when
the table is refused; the output is then the reason.
"""

import json
import sys
from pathlib import Path

from twofold.engine.errors import DataError, InputError

MEMORY_BYTES = 4 * 2**30
"""Most memory for data, where the system can limit it."""
MOST_ROWS = 500_000
"""Rows of a table."""


def main(arguments: list[str]) -> int:
    """Reads the table, and does what is asked."""
    _bound()
    command, name, *more = arguments

    from twofold.counts.config import SourceConfig
    from twofold.counts.load import load_panel, read_table
    from twofold.trend.commands import look

    try:
        rows = len(read_table(Path(name), SourceConfig()).rows)
        if rows > MOST_ROWS:
            raise DataError(f"{name}: has {rows:,} rows; at most {MOST_ROWS:,} are read here")
        if command == "look":
            return look([name, "--json"])
        source, out = more
        panel = load_panel(name, SourceConfig.from_json(source, "the run's settings"))
        panel.frame().write_parquet(out)
        sys.stdout.write(json.dumps(panel.remarks))
    except InputError as error:
        sys.stdout.write(f"{error}\n")
        return 2
    except MemoryError:
        sys.stdout.write(f"{name}: needs more than {MEMORY_BYTES // 2**30} GiB of memory; give fewer rows\n")
        return 2
    return 0


def _bound() -> None:
    try:
        import resource
    except ModuleNotFoundError:  # Windows; the time is limited there, too
        return
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
