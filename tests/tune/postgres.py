"""A PostgreSQL server of the tests' own: Debian's programs, a temporary folder, its socket there and no port."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

PASSWORD = "s3cret:w@rd/"
"""Of the user `ann`; with the signs that an address has to escape."""
QUOTED = "s3cret%3Aw%40rd%2F"


def programs() -> Path:
    """The folder of the server's programs; skips where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("no PostgreSQL server is installed (Debian: postgresql)")
    return found[-1].parent


@contextlib.contextmanager
def server() -> Iterator[str]:
    """A server that listens on a socket alone and asks for a password.

    Yields:
        The address of its database, for `ann` with the password.
    """
    bin_folder, root = programs(), Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # a socket's path is short
    # The server refuses to be run by root.
    user = {"user": "nobody"} if os.geteuid() == 0 else {}
    if user:
        os.chown(root, pwd.getpwnam("nobody").pw_uid, -1)
    home = {"cwd": root, "env": {"PATH": os.environ["PATH"], "LC_ALL": "C", "PGPASSWORD": PASSWORD}} | user

    def run(*words: str) -> None:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120, **home)
        assert done.returncode == 0, f"{words[0]}: {done.stdout}{done.stderr}"

    try:
        (root / "password").write_text(PASSWORD)
        (root / "password").chmod(0o644)
        how = ["-U", "ann", "-A", "scram-sha-256", f"--pwfile={root / 'password'}", "--no-sync"]
        run(str(bin_folder / "initdb"), "-D", str(root / "data"), *how)
        options = f"-c listen_addresses='' -c unix_socket_directories={root} -c fsync=off -c max_connections=20"
        run(str(bin_folder / "pg_ctl"), "-D", str(root / "data"), "-l", str(root / "log"), "-w", "-o", options, "start")
        try:
            run(str(bin_folder / "createdb"), "-h", str(root), "-U", "ann", "trials")
            yield f"postgresql://ann:{QUOTED}@/trials?host={root}"
        finally:
            run(str(bin_folder / "pg_ctl"), "-D", str(root / "data"), "-m", "immediate", "stop")
    finally:
        shutil.rmtree(root, ignore_errors=True)
