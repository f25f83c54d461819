"""Settings of the readers of tables of counts."""

from typing import Annotated, Any, Literal

import tyro
from pydantic import Field, field_validator

from twofold.engine.config import Config

Weeks = Literal["auto", "iso", "mmwr"]
Decimal = Literal["auto", "point", "comma"]
Suppressed = Literal["refuse", "missing"] | int

LayoutName = Literal["auto", "original", "jhu", "wide", "transposed", "long"]
Missing = Literal["refuse", "drop-regions", "common-dates", "zero", "interpolate"]
_Repeated = tyro.conf.UseAppendAction
REPEATED = ("where", "sum_over", "include", "exclude")
"""Settings whose option may be given several times; the parser adds what is given to the default."""
_SHORT = ("negatives", "drop_last", "weekly")
"""Settings whose option has no group before its name."""


class SourceConfig(Config):
    """How the table of counts is read."""

    layout: LayoutName = "auto"
    """`wide`: a row per region, a column per date; `transposed`: the other way round; `long`: a row per region and
    date; `jhu`, `original`: wide with JHU's header, with the original study's three header rows."""
    sheet: str | None = None
    """Sheet of an Excel workbook, where more than one is filled."""
    region: tuple[str, ...] = ()
    """Column of regions; several names are joined, such as `county state`. By default found by header and cells."""
    date: tuple[str, ...] = ()
    """Column of dates, or two of year and week (long layout). By default found by header and cells."""
    value: str = ""
    """Column of counts (long layout). By default found by header and cells."""
    kind: Literal["auto", "cumulative", "incident"] = "auto"
    """Running totals or new cases; auto: as the layout says, by the values where it is only `wide`, else new cases."""
    date_format: str | None = None
    """Format of every date, such as %d/%m/%Y, as Python's strptime takes it."""
    weeks: Weeks = "auto"
    """Year and week are ISO weeks (Monday to Sunday) or MMWR weeks (CDC's: Sunday to Saturday)."""
    decimal: Decimal = "auto"
    """Decimal mark of the counts; the other mark parts thousands. By default told by the whole column."""
    suppressed: Literal["refuse", "missing"] | Annotated[int, Field(ge=0)] = "refuse"
    """What cells such as <5 or * stand for: one number, or `missing` counts."""
    where: Annotated[tuple[str, ...], _Repeated] = ()
    """Keep rows with COLUMN=VALUE; repeatable: values of one column are alternatives, columns must all hold."""
    sum_over: Annotated[tuple[str, ...], _Repeated] = ()
    """Add up rows that differ in this column only, such as age groups; repeatable."""
    include: Annotated[tuple[str, ...], _Repeated] = ()
    """Keep regions that match this name or pattern, such as 'New *'; repeatable."""
    exclude: Annotated[tuple[str, ...], _Repeated] = ()
    """Leave out regions that match this name or pattern; repeatable."""
    aggregates: Literal["drop", "keep"] = "drop"
    """Regions that are sums of others (World, continents, a total): left out and named, or kept."""
    missing: Missing = "refuse"
    """Cells without a count: refuse; leave out their regions; keep the longest run of dates on which all regions have
    one; take no new cases; or interpolate linearly. Windows whose label is filled in are not used."""
    negatives: Annotated[Literal["keep", "clip", "redistribute"], tyro.conf.arg(aliases=("--negatives",))] = "keep"
    """Downward corrections: keep the negative increments, clip them to 0, or subtract them from the days before."""
    drop_last: Annotated[int, tyro.conf.arg(aliases=("--drop-last",))] = Field(default=0, ge=0)
    """Number of last dates to leave out, for days still being reported."""
    weekly: Annotated[bool, tyro.conf.arg(aliases=("--weekly",))] = False
    """Sum a daily table to weeks that end on Saturdays; days in no whole week are left out."""
    simulation_seed: int = Field(default=0, ge=0)
    """Seed of the embedded simulated epidemic (used where no table is given)."""

    @field_validator("region", "date", mode="before")
    @classmethod
    def _one_name(cls, given: Any) -> Any:
        """A single name, as runs were saved before several could be given."""
        return (given,) if isinstance(given, str) else given

    @field_validator("where")
    @classmethod
    def _conditions(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for condition in given:
            if not condition.partition("=")[0].strip() or "=" not in condition:
                raise ValueError("a condition is written COLUMN=VALUE")
        return given

    @field_validator("date")
    @classmethod
    def _date_or_year_and_week(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        if len(given) > 2:
            raise ValueError("one column of dates, or two of year and week, are wanted")
        return given

    def flags(self) -> list[str]:
        """The options that give these settings, as words of a command line."""
        words: list[str] = []
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if value == field.get_default():
                continue
            option = f"--{name}" if name in _SHORT else f"--source.{name}"
            option = option.replace("_", "-")
            if value is True:
                words.append(option)
            elif name in REPEATED:
                words += [word for each in value for word in (option, each)]
            else:
                words += [option, *(value if isinstance(value, tuple) else (str(value),))]
        return words

    @property
    def conditions(self) -> dict[str, list[str]]:
        """Values kept, by column."""
        kept: dict[str, list[str]] = {}
        for condition in self.where:
            column, _, value = condition.partition("=")
            kept.setdefault(column.strip(), []).append(value.strip())
        return kept
