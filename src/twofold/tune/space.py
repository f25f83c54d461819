"""The space of a study: which settings vary, in which range; a table in code, printed and written into the folder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from twofold.engine.config import Config

if TYPE_CHECKING:
    from optuna.trial import Trial

AnyConfig = TypeVar("AnyConfig", bound=Config)
Value: TypeAlias = str | int | float
Condition: TypeAlias = tuple[str, Value]
"""A setting and the value for which another one means something."""


@dataclass(frozen=True)
class Range:
    """A number between two ends, both included; a whole one where they are.

    Attributes:
        name: of the setting, dotted.
        log: whether its logarithm is drawn.
        when: where it is drawn; None: always.
    """

    name: str
    low: int | float
    high: int | float
    log: bool = False
    when: Condition | None = None

    @property
    def words(self) -> str:
        """The range."""
        return f"{self.low:g} to {self.high:g}"

    @property
    def scale(self) -> str:
        """How it is drawn."""
        return "log" if self.log else "even"

    def holding(self, value: Value) -> "Range | None":
        """The range, widened where it does not hold a value; None where it can't."""
        assert isinstance(value, int | float)
        if self.log and value <= 0:
            return None
        return replace(self, low=min(self.low, value), high=max(self.high, value))

    def draw(self, trial: "Trial") -> Value:
        """A value for a trial."""
        if isinstance(self.low, int) and isinstance(self.high, int):
            return trial.suggest_int(self.name, self.low, self.high, log=self.log)
        return trial.suggest_float(self.name, self.low, self.high, log=self.log)


@dataclass(frozen=True)
class Choice:
    """One of some values.

    Attributes:
        name: of the setting, dotted.
        when: where it is drawn; None: always.
    """

    name: str
    values: tuple[Value, ...]
    when: Condition | None = None

    @property
    def words(self) -> str:
        """The values."""
        return ", ".join(f"{value:g}" if isinstance(value, float) else str(value) for value in self.values)

    @property
    def scale(self) -> str:
        """How it is drawn."""
        return "one of"

    def holding(self, value: Value) -> "Choice":
        """The choice, with a value that it lacks; numbers stay in their order."""
        if value in self.values:
            return self
        values = *self.values, value
        numbers = [each for each in values if isinstance(each, int | float)]
        return replace(self, values=tuple(sorted(numbers)) if len(numbers) == len(values) else values)

    def draw(self, trial: "Trial") -> Value:
        """A value for a trial."""
        value = trial.suggest_categorical(self.name, self.values)
        assert value is not None
        return value


Knob: TypeAlias = Range | Choice
Space: TypeAlias = Sequence[Knob]


def setting(config: Config, name: str) -> Any:
    """A setting by its dotted name."""
    group, _, key = name.partition(".")
    return getattr(getattr(config, group), key)


def around(space: Space, config: Config) -> tuple[list[Knob], list[str]]:
    """The space, widened to hold a config's own values, and the settings that it can't hold, which stay as they are."""
    widened = {knob.name: knob.holding(setting(config, knob.name)) for knob in space}
    return [knob for knob in widened.values() if knob], [name for name, knob in widened.items() if knob is None]


def own_values(space: Space, config: Config) -> dict[str, Value]:
    """A config's own values of what is drawn."""
    values: dict[str, Value] = {}
    for knob in space:
        if _drawn(knob, values, config):
            values[knob.name] = setting(config, knob.name)
    return values


def draw(space: Space, config: Config, trial: "Trial") -> dict[str, Value]:
    """A trial's values; conditions are on knobs before, or on the config."""
    values: dict[str, Value] = {}
    for knob in space:
        if _drawn(knob, values, config):
            values[knob.name] = knob.draw(trial)
    return values


def _drawn(knob: Knob, values: Mapping[str, Value], config: Config) -> bool:
    if knob.when is None:
        return True
    name, wanted = knob.when
    return (values[name] if name in values else setting(config, name)) == wanted


def with_values(config: AnyConfig, values: Mapping[str, Value]) -> AnyConfig:
    """A config with other settings.

    Raises:
        pydantic.ValidationError: when they break a rule.
    """
    groups: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        group, _, key = name.partition(".")
        groups.setdefault(group, dict(getattr(config, group)))[key] = value
    return type(config).model_validate(dict(config) | groups)


def table(space: Space) -> list[dict[str, Any]]:
    """The space as rows: `name`, `range`, `scale`, and `when` it is drawn."""
    return [
        {
            "name": knob.name,
            "range": knob.words,
            "scale": knob.scale,
            "when": f"{knob.when[0]} {knob.when[1]}" if knob.when else "",
        }
        for knob in space
    ]


def lines(space: Space) -> str:
    """The space as text, a line for each knob."""
    rows = table(space)
    names, ranges = (max(len(row[key]) for row in rows) for key in ("name", "range"))
    return "\n".join(
        f"  {row['name']:<{names}}  {row['range']:<{ranges}}  {row['scale']}"
        + (f", with {row['when']}" if row["when"] else "")
        for row in rows
    )
