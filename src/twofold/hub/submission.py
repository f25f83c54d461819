"""Writes a submission to a hub, and the metadata that describe its model."""

import io
import json
from pathlib import Path
from typing import Annotated, Literal

import polars as pl
from pydantic import Field

from twofold.engine.config import Config
from twofold.engine.errors import InputError
from twofold.engine.files import write_bytes, write_text
from twofold.hub.check import check_sheet, parse_name
from twofold.hub.row_rules import COLUMNS
from twofold.hub.rules import WEEK, Rules
from twofold.hub.tables import sheet_of

Abbreviation = Annotated[str, Field(pattern="^[A-Za-z0-9_]{1,16}$")]


class Contributor(Config):
    """A person behind a model."""

    name: str
    """Full name."""
    affiliation: str
    """Where they work."""
    email: Annotated[str, Field(pattern="^[^@ ]+@[^@ ]+$")]
    """Address for questions."""


class Metadata(Config):
    """What a hub wants to know of a model.

    Source:
        hub-config/model-metadata-schema.json of the FluSight hub; the fields that it requires, and three more.
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
    repo_url: str | None = None
    """Where its code is."""


def submission(forecasts: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Forecasts in the columns of a submission.

    Args:
        forecasts: reference_date, horizon, location, category, probability; other columns are left alone.
        rules: name and categories of the target.

    Returns:
        Columns of `hub_row_rules.COLUMNS`, sorted by location and horizon, categories from falling to rising.
    """
    end = pl.col("reference_date") + WEEK * pl.col("horizon")
    order = pl.col("category").replace_strict(list(rules.categories), range(len(rules.categories)), default=None)
    table = forecasts.sort("reference_date", "location", "horizon", order).with_columns(
        pl.col("horizon").cast(pl.Int64), target=pl.lit(rules.target), target_end_date=end, output_type=pl.lit("pmf")
    )
    return table.rename({"category": "output_type_id", "probability": "value"}).select(*COLUMNS)


def write_submission(path: Path, forecasts: pl.DataFrame, rules: Rules, locations: pl.DataFrame) -> None:
    """Writes a submission that the hub will take.

    Args:
        path: `YYYY-MM-DD-team-model.csv` or `.parquet`; the date is the forecasts' reference date.
        forecasts: of one reference date; see `submission`.
        rules: of the season.
        locations: of the season.

    Raises:
        InputError: when the name or the forecasts break a rule of the hub; nothing is written then.
    """
    name, table = parse_name(path.name), submission(forecasts, rules)
    for problem in check_sheet(sheet_of(path.name, table), name, rules, locations).problems:
        raise InputError(f"{path.name}: the hub would refuse these forecasts, the first reason: {problem}")
    buffer = io.BytesIO()
    if name.form == "csv":
        table.write_csv(buffer)
    else:
        table.write_parquet(buffer)
    write_bytes(path, buffer.getvalue())


def write_metadata(folder: Path, metadata: Metadata) -> Path:
    """Writes a model's metadata as `team-model.yml`.

    Every value is written as JSON, which is YAML, too; so no text needs a rule of its own for quotes.

    Returns:
        The file's path.
    """
    known = metadata.model_dump(mode="json", exclude_none=True)
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in known.items()]
    path = folder / f"{metadata.team_abbr}-{metadata.model_abbr}.yml"
    write_text(path, "".join(lines))
    return path
