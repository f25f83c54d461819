"""Frozen typed configs: one object that names every knob, saved with each run."""

import hashlib
import json
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from twofold.engine.errors import InputError

# Not typing.Self, which beartype, as the tests' import hook applies it to methods, does not know.
AnyConfig = TypeVar("AnyConfig", bound="Config")


class Config(BaseModel):
    """Base of every config group: frozen, no unknown key, attribute docstrings as help."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    def to_json(self) -> str:
        """The whole config as indented JSON; holds no path, time or host, so equal settings give equal text."""
        return self.model_dump_json(indent=2) + "\n"

    @classmethod
    def from_json(cls: type[AnyConfig], text: str, where: str) -> AnyConfig:
        """Reads back what `to_json` wrote.

        Args:
            text: JSON text.
            where: names the text's origin in an error.

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
    """JSON with sorted keys and no blanks: the form that digests are taken of."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def short_digest(config: Config, data_digest: str) -> str:
    """Ten hex digits that name a config on a data set, for a folder's name."""
    return hashlib.sha256(canonical([config.digest(), data_digest]).encode()).hexdigest()[:10]


def explain(error: ValidationError) -> str:
    """One line a broken rule: the flag's dotted name, the rule, the value given."""
    return "; ".join(
        f"{'.'.join(str(part) for part in item['loc']) or 'config'}: {item['msg']}, got {item['input']!r}"
        for item in error.errors()
    )
