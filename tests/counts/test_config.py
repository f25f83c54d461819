"""Settings of the readers: their options on a command line, and back."""

import pytest
from pydantic import ValidationError

from twofold.counts.config import SourceConfig
from twofold.engine.errors import InputError
from twofold.engine.flags import parse
from twofold.trend.commands import LookFlags

EACH = {
    "layout": "transposed",
    "sheet": "Cases 2020",
    "region": ("county", "state"),
    "date": ("year", "week"),
    "value": "New cases",
    "kind": "cumulative",
    "date_format": "%d/%m/%Y",
    "weeks": "mmwr",
    "decimal": "comma",
    "suppressed": 3,
    "where": ("age=18+", "status = a=b"),
    "sum_over": ("age", "sex"),
    "include": ("New *", "Chad"),
    "exclude": ("Peru",),
    "aggregates": "keep",
    "missing": "interpolate",
    "negatives": "clip",
    "drop_last": 2,
    "weekly": True,
    "simulation_seed": 7,
}


def again(config: SourceConfig) -> SourceConfig:
    """The settings after a way over the command line."""
    return parse(LookFlags, ["cases.csv", *config.flags()], "trend look").source


def test_every_setting_comes_back_from_its_options():
    assert set(EACH) == set(SourceConfig.model_fields)
    for name, value in EACH.items():
        config = SourceConfig(**{name: value})
        assert config != SourceConfig()
        assert again(config) == config, name
    whole = SourceConfig(**EACH)
    assert again(whole) == whole
    assert again(SourceConfig(suppressed="missing")).suppressed == "missing"


def test_defaults_need_no_option():
    assert SourceConfig().flags() == []
    assert SourceConfig(drop_last=0, where=()).flags() == []


def test_a_setting_saved_as_one_name_is_read_as_a_tuple():
    assert SourceConfig(region="place", date="when").model_dump(include={"region", "date"}) == {
        "region": ("place",),
        "date": ("when",),
    }


def test_conditions_are_grouped_by_column():
    conditions = SourceConfig(where=("age=0-4", "sex=f", "age = 5-9", "x=a=b")).conditions
    assert conditions == {"age": ["0-4", "5-9"], "sex": ["f"], "x": ["a=b"]}


@pytest.mark.parametrize(
    "wrong", [{"where": ("age",)}, {"where": ("=5",)}, {"date": ("y", "m", "d")}, {"suppressed": -1}]
)
def test_what_no_reader_can_follow_is_refused(wrong):
    with pytest.raises(ValidationError):
        SourceConfig(**wrong)


def test_an_option_that_breaks_a_rule_is_named():
    with pytest.raises(InputError, match=r"where.*a condition is written COLUMN=VALUE"):
        parse(LookFlags, ["cases.csv", "--source.where", "age"], "trend look")
