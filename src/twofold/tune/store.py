"""Where trials are kept: a file of the folder, or a PostgreSQL database that several machines share."""

import contextlib
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from twofold.engine import sound
from twofold.engine.errors import DamagedError, InputError
from twofold.engine.files import write_bytes
from twofold.engine.sound import ASIDE

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

OPTION = "--storage"
_FILE = re.compile(r"trials-(\d+)\.log")
_TRIES = 5
_SECRETS = re.compile(r"(?P<before>^[^/]*//[^/@:]*:)(?P<first>.*)(?=@)|(?P<key>[?&]password=)(?P<second>[^&]*)")


def hidden(url: str) -> str:
    """An address of a database without its password.

    Example:
        >>> hidden("postgresql://ann:secret@db/trials?password=secret&port=1")
        'postgresql://ann:***@db/trials?password=***&port=1'
    """
    return _SECRETS.sub(lambda match: f"{match['before'] or match['key']}***", url)


def without_password(argv: Sequence[str]) -> list[str]:
    """A command line whose address of a database has no password."""
    words: list[str] = []
    for word in argv:
        given = (words and words[-1] == OPTION) or word.startswith(f"{OPTION}=")
        words.append(hidden(word) if given else word)
    return words


@dataclass(frozen=True)
class Store:
    """Where the trials are.

    Attributes:
        folder: of the run, where the file is.
        url: of the database; None: the file.
    """

    folder: Path
    url: str | None = field(default=None, repr=False)

    def check(self) -> None:
        """Refuses an address of another kind of database.

        Raises:
            InputError: names the kind that is taken.
        """
        if self.url is not None and not self.url.startswith("postgresql://"):
            raise InputError(f"{OPTION} {hidden(self.url)}: must begin with postgresql://")

    def begin(self) -> None:
        """Checks the file of the last command, and goes on in a copy; nothing for a database.

        A file is appended to while trials are made, and is known to be whole only once its command has ended. So each
        command has a file of its own, which begins as the one before.

        Raises:
            DamagedError: when the file of a command that ended is not what it had written.
        """
        if self.url:
            return
        last = self._last()
        if last is None:
            self._file(1).touch()
            return
        if last.name in sound.names(self.folder):
            sound.check_file(last)
        following = self._file(int(_FILE.fullmatch(last.name)[1]) + 1)  # pyright: ignore[reportOptionalSubscript]
        aside = following.with_name(f"{ASIDE}{following.name}")
        shutil.copyfile(last, aside)
        with aside.open("rb+") as file:  # what a kill has cut is no line
            file.truncate(file.read().rfind(b"\n") + 1)
        aside.replace(following)
        last.unlink()

    def end(self) -> None:
        """Puts the file into the folder's journal of digests; nothing for a database."""
        if self.url is None and (last := self._last()):
            write_bytes(last, last.read_bytes())

    def _file(self, number: int) -> Path:
        return self.folder / f"trials-{number}.log"

    def _last(self) -> Path | None:
        found = {int(match[1]): path for path in self.folder.iterdir() if (match := _FILE.fullmatch(path.name))}
        return found[max(found)] if found else None

    def open(self) -> "BaseStorage":
        """The storage.

        Raises:
            InputError: when the database can't be reached, or is of another program.
            DamagedError: when the file can't be read.
        """
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        if self.url is None:
            from optuna.storages import JournalStorage
            from optuna.storages.journal import JournalFileBackend

            last = self._last()
            assert last is not None
            with self.telling():
                return JournalStorage(JournalFileBackend(str(last)))
        with self.telling():
            return self._database(_TRIES)

    def _database(self, tries: int) -> "BaseStorage":
        from optuna.storages import RDBStorage
        from sqlalchemy.exc import IntegrityError, ProgrammingError
        from sqlalchemy.pool import NullPool

        assert self.url is not None
        # The driver is named, since the one that an address without a name means has changed.
        url = self.url.replace("postgresql://", "postgresql+psycopg://", 1)
        try:
            # No connection is kept: a server allows few, and there are many processes. Of a database without an
            # encoding (SQL_ASCII, as in the locale C) texts would come as bytes.
            options = {"poolclass": NullPool, "connect_args": {"client_encoding": "utf8"}}
            return RDBStorage(url, engine_kwargs=options)
        except (IntegrityError, ProgrammingError):  # of two commands that make the tables at the same time
            if tries == 1:
                raise
            time.sleep(0.5)
            return self._database(tries - 1)

    @contextlib.contextmanager
    def telling(self) -> Iterator[None]:
        """Takes what goes wrong with the storage for what it is, in words without a password.

        Raises:
            InputError: when the database can't be reached.
            DamagedError: when the file can't be read.
        """
        from optuna.exceptions import StorageInternalError

        if self.url is None:
            try:
                yield
            except ValueError as error:  # JSONDecodeError is one
                if not _of_a_file(error):
                    raise
                raise DamagedError(f"{self._last()}: its content is not what was written there") from error
            return
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        except (StorageInternalError, SQLAlchemyError) as error:
            reason: Any = error.__cause__ or error
            first = next(iter(str(getattr(reason, "orig", None) or reason).splitlines()), "") or type(reason).__name__
            raise InputError(
                f"{OPTION} {hidden(self.url)}: {self._without_password(first)}; once the database can be reached, the "
                "same command goes on"
            ) from None

    def _without_password(self, text: str) -> str:
        for match in _SECRETS.finditer(self.url or ""):
            secret = match["first"] or match["second"] or ""
            for word in {secret, unquote(secret)} - {""}:
                text = text.replace(word, "***")
        return text


def _of_a_file(error: ValueError) -> bool:
    """Whether Optuna could not read its file, by where the error was raised."""
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_globals.get("__name__", "").startswith("optuna.storages.journal"):
            return True
        trace = trace.tb_next
    return False
