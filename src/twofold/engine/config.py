"""Frozen, typed configs: one object holds all settings of a run and is saved with it."""

import hashlib
import json
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from twofold.engine.errors import InputError

_MOST, _LONGEST = 20, 200
"""Violated rules that a message tells, and characters of a value."""
# Not typing.Self, which beartype, as the tests' import hook applies it to methods, does not know.
AnyConfig = TypeVar("AnyConfig", bound="Config")


class Config(BaseModel):
    """Base of every config group: frozen, no unknown key, attribute docstrings as help."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    def to_json(self) -> str:
        """The config as indented JSON; equal settings give equal text."""
        return self.model_dump_json(indent=2) + "\n"

    @classmethod
    def from_json(cls: type[AnyConfig], text: str, where: str) -> AnyConfig:
        """Reads what `to_json` wrote; `where` names the origin of the text in an error.

        Raises:
            InputError: when a key is unknown or a value is out of bounds.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise InputError(f"{where}: {explain(error)}") from error

    def digest(self) -> str:
        """SHA-256 of the canonical JSON, in hex."""
        return hashlib.sha256(canonical(self.model_dump(mode="json")).encode()).hexdigest()


def canonical(value: Any) -> str:
    """JSON with sorted keys and no blanks, as input of a digest."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def short_digest(config: Config, data_digest: str) -> str:
    """Ten hex digits that name a config on a data set, for a folder's name."""
    return hashlib.sha256(canonical([config.digest(), data_digest]).encode()).hexdigest()[:10]


def explain(error: ValidationError) -> str:
    """The violated rules on one line: for each the setting's dotted name, the rule and the value given."""
    return "; ".join(
        f"{'.'.join(str(part) for part in item['loc']) or 'config'}: {item['msg']}, got {_short(item['input'])}"
        for item in error.errors()[:_MOST]
    ) + (f"; and {error.error_count() - _MOST} more" if error.error_count() > _MOST else "")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
