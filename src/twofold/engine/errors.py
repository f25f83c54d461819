"""The exception tree: what the user can correct exits with 2, everything else with 1."""


class TwofoldError(Exception):
    """Base of every error that twofold raises on purpose."""


class InputError(TwofoldError, ValueError):
    """Something the user gave breaks a rule; the message names what, where, which rule, and what to do (exit 2)."""


class DataError(InputError):
    """A data file that can't be read as what it claims to be; the message names file, row and column."""


class RunFolderError(InputError):
    """A run folder that is locked, unfinished, or made from another config or other data."""


class NonFiniteLossError(TwofoldError):
    """The training loss became NaN or infinite; the message names epoch and step."""
