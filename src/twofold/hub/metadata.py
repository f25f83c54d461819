"""The metadata of a model, which a hub asks for beside its submissions: written, and checked by the hub's schema."""

import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from twofold.engine.config import Config
from twofold.engine.errors import DataError
from twofold.engine.files import write_text
from twofold.hub.submission import Abbreviation, Problem

SCHEMA = "model-metadata-schema.json"
"""Name of the schema's file in a hub's `hub-config`."""
CHECK = "metadata_matches_schema"
"""Name that hubValidations gives the check."""


_LONGEST = 300  # characters of a reader's message
_LARGEST, _BRACKETS = 100_000, 1000  # of metadata: the time of its reader grows with the square of the depth


class Contributor(Config):
    """A person behind a model."""

    name: str
    """Full name."""
    affiliation: str
    """Where they work."""
    email: Annotated[str, Field(pattern="^[^@ ]+@[^@ ]+$")]
    """Address for questions."""


class Metadata(Config):
    """What a hub requires to be known of a model.

    Source:
        hub-config/model-metadata-schema.json of the CDC's hubs; the fields that they require, and two more.
    """

    team_name: str
    """The team's full name."""
    team_abbr: Abbreviation
    """The team in the name of a submission."""
    model_name: str
    """The model's full name."""
    model_abbr: Abbreviation
    """The model in the name of a submission."""
    model_version: str
    """Version of the model."""
    model_contributors: tuple[Contributor, ...] = Field(min_length=1)
    """Who made it."""
    license: Literal["CC0-1.0", "CC-BY-4.0", "CC-BY_SA-4.0", "PPDL", "ODC-by", "ODbL", "OGL-3.0"]
    """Licence of the forecasts."""
    designated_model: bool
    """Whether the hub may put it into its ensemble."""
    data_inputs: str
    """Data that the model reads."""
    methods: str = Field(max_length=200)
    """The method in 200 characters."""
    methods_long: str
    """The method in full: how space and uncertainty are treated."""
    ensemble_of_models: bool
    """Whether it pools models of its own."""
    ensemble_of_hub_models: bool
    """Whether it pools models of the hub."""
    website_url: Annotated[str, Field(pattern="^https?://[^ ]+$")]
    """Where the model, or the team, is described."""
    repo_url: str | None = None
    """Where its code is."""


def write_metadata(folder: Path, metadata: Metadata) -> Path:
    """Writes a model's metadata as `team-model.yml`.

    Every value is written as JSON, which is valid YAML, so that no text needs quoting rules.

    Returns:
        The file's path.
    """
    known = metadata.model_dump(mode="json", exclude_none=True)
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in known.items()]
    path = folder / f"{metadata.team_abbr}-{metadata.model_abbr}.yml"
    write_text(path, "".join(lines))
    return path


def check_metadata(path: Path, schema: Path) -> list[Problem]:
    """What of a model's metadata (YAML) breaks the hub's schema (JSON Schema), the field named first.

    Raises:
        DataError: when the schema can't be read.
    """
    import jsonschema
    import yaml
    from jsonschema.validators import validator_for
    from jsonschema_specifications import REGISTRY
    from referencing.exceptions import Unresolvable

    # Of schemas that are no text where one is due, or that hold a pattern that is none.
    unusable = ValueError, TypeError, LookupError, AttributeError, RecursionError, re.error
    try:
        rules: dict[str, Any] = json.loads(schema.read_text(encoding="utf-8"))
        if not isinstance(rules, dict):
            raise ValueError("it must hold an object")
        # A default is taken for a dialect that isn't known; without one the reader would warn.
        checker = validator_for(rules, default=jsonschema.Draft202012Validator)
        checker.check_schema(rules)
    except (OSError, *unusable, jsonschema.SchemaError) as error:
        told = getattr(error, "message", None) or error
        raise DataError(f"{schema}: can't be read as a JSON Schema ({_short(told)}); fetch the hub again") from error
    try:
        text = path.read_text(encoding="utf-8")
        if len(text) > _LARGEST or text.count("[") + text.count("{") > _BRACKETS:
            raise yaml.YAMLError(f"it has more than {_LARGEST:,} characters or {_BRACKETS:,} brackets")
        # A few lines of references to references stand for gigabytes; metadata need none.
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text, yaml.SafeLoader)):
            raise yaml.YAMLError("it refers to parts of itself (*name); write them out")
        found = yaml.safe_load(text)
    except (OSError, ValueError, RecursionError, TypeError, LookupError, yaml.YAMLError) as error:
        return [Problem(CHECK, f"{path.name} can't be read as YAML ({_short(error)})")]
    try:
        # By a registry of its own, jsonschema would fetch whatever address a schema refers to.
        checks = checker(rules, registry=REGISTRY, format_checker=checker.FORMAT_CHECKER)
        broken = list(checks.iter_errors(found))
    except Unresolvable as error:
        raise DataError(
            f"{schema}: refers to {error.ref}, which it does not hold, and nothing is fetched; put it into its `$defs`"
        ) from error
    except unusable as error:
        raise DataError(f"{schema}: can't be used as a JSON Schema ({_short(error)}); fetch the hub again") from error
    return [
        Problem(CHECK, f"{path.name}, {'.'.join(map(str, each.absolute_path)) or 'as a whole'}: {_short(each.message)}")
        for each in sorted(broken, key=lambda each: list(map(str, each.absolute_path)))
    ]


def _short(text: object) -> str:
    words = " ".join(str(text).split())
    return words if len(words) <= _LONGEST else words[:_LONGEST] + "…"
