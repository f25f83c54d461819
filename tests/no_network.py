"""A network that is cut: who looks up a name or sends beyond this machine is stopped, and written down.

This file's text is run by every Python process that a test starts, before anything else is imported. A line in the log
also tells of what a library tried and then hid.
"""

import ipaddress
import os
import sys
import traceback
from typing import Any

LOOKUPS = "socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo"
SENDS = "socket.connect", "socket.sendto", "socket.sendmsg"


def cut(log: str) -> None:
    """Cuts this process off for the rest of its life: a hook of this kind can't be removed."""

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in LOOKUPS or event in SENDS:
            target = arguments[event in SENDS]
            host = target[0] if isinstance(target, tuple) else target if event in LOOKUPS else None
            if not _here(host):
                with open(log, "a", encoding="utf-8") as file:  # noqa: PTH123  (nothing is imported here but what is needed)
                    file.write(f"{os.getpid()} {event} {host}\n{''.join(traceback.format_stack(limit=12))}")
                raise PermissionError(f"the network is cut: {event} {host}")

    sys.addaudithook(hook)


def _here(host: Any) -> bool:
    """Whether a host is this machine; also a socket of the file system (None)."""
    name = os.fsdecode(host) if isinstance(host, bytes) else host
    if not name or name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
