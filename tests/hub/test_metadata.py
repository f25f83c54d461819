"""A model's metadata: written as YAML, refused where a hub would, checked by a hub's own schema."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from twofold.engine.errors import DataError
from twofold.hub.metadata import CHECK, Contributor, Metadata, check_metadata, write_metadata

METADATA: dict[str, Any] = {
    "team_name": 'The "team": a # and\na line',
    "team_abbr": "ours",
    "model_name": "Gated recurrent units",
    "model_abbr": "gru_1",
    "model_version": "1.0",
    "model_contributors": (Contributor(name="Zoë Ng", affiliation="Nowhere", email="zoe@example.org"),),
    "license": "CC-BY-4.0",
    "designated_model": False,
    "data_inputs": "NHSN admissions",
    "methods": "yes",
    "methods_long": "no",
    "ensemble_of_models": True,
    "ensemble_of_hub_models": False,
    "website_url": "https://example.org/gru",
}


def test_metadata_are_yaml(tmp_path: Path) -> None:
    path = write_metadata(tmp_path, Metadata(**METADATA))
    assert path.name == "ours-gru_1.yml"
    read = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert read == METADATA | {
        "model_contributors": [{"name": "Zoë Ng", "affiliation": "Nowhere", "email": "zoe@example.org"}]
    }


@pytest.mark.parametrize(
    "broken",
    [
        {"team_abbr": "our-s"},
        {"model_abbr": "g" * 17},
        {"methods": "m" * 201},
        {"license": "MIT"},
        {"model_contributors": ()},
        {"website_url": "example.org"},
    ],
)
def test_metadata_that_the_hub_would_refuse(broken: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(broken))):
        Metadata(**METADATA | broken)


SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "team_abbr": {"type": "string", "pattern": "^[a-zA-Z0-9_+]+$", "maxLength": 16},
        "methods": {"type": "string", "maxLength": 200},
        "model_contributors": {"type": "array", "items": {"required": ["name"]}},
    },
    "required": ["team_abbr", "website_url"],
}


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("team_abbr: ours\nwebsite_url: https://example.org\n", []),
        ("team_abbr: ours\n", ["as a whole: 'website_url' is a required property"]),
        ("team_abbr: o-u\nwebsite_url: x\n", ["team_abbr: 'o-u' does not match '^[a-zA-Z0-9_+]+$'"]),
        (
            "team_abbr: [1]\nwebsite_url: x\nmodel_contributors: [{name: A}, {}]\n",
            ["model_contributors.1: 'name' is a required property", "team_abbr: [1] is not of type 'string'"],
        ),
        ("a: [", ["can't be read as YAML"]),
        ("a: &a [x]\nb: [*a, *a]\n", ["it refers to parts of itself (*name); write them out"]),
        ("[" * 100_000, ["can't be read as YAML"]),
        ("", ["as a whole: None is not of type 'object'"]),
    ],
)
def test_each_field_that_breaks_the_schema_is_named(tmp_path: Path, content: str, found: list[str]) -> None:
    schema, path = tmp_path / "schema.json", tmp_path / "ours-gru.yml"
    schema.write_text(json.dumps(SCHEMA))
    path.write_text(content)
    problems = check_metadata(path, schema)
    assert [problem.rule for problem in problems] == [CHECK] * len(found)
    assert all(part in str(problem) for part, problem in zip(found, problems, strict=True))


@pytest.mark.parametrize("content", ["{", '{"type": 3}'])
def test_a_broken_schema_is_no_fault_of_the_model(tmp_path: Path, content: str) -> None:
    (tmp_path / "schema.json").write_text(content)
    (tmp_path / "ours-gru.yml").write_text("a: 1\n")
    with pytest.raises(DataError, match="fetch the hub again"):
        check_metadata(tmp_path / "ours-gru.yml", tmp_path / "schema.json")


@pytest.mark.parametrize(
    "content",
    ['{"$ref": "http://127.0.0.1:9/schema.json"}', '{"pattern": "("}', "[" * 100_000, '{"$schema": 3}', "[1]"],
)
def test_a_hostile_schema_fetches_nothing_and_is_refused(
    tmp_path: Path, content: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr("urllib.request.urlopen", lambda *words, **_: asked.append(words))
    (tmp_path / "schema.json").write_text(content)
    (tmp_path / "ours-gru.yml").write_text("text\n")
    with pytest.raises(DataError, match=r"schema\.json: (can't be (read|used) as a JSON Schema|refers to http)"):
        check_metadata(tmp_path / "ours-gru.yml", tmp_path / "schema.json")
    assert asked == []


@pytest.mark.realdata
@pytest.mark.parametrize("hub", ["flusight", "covid-hub", "rsv-hub"])
def test_what_is_written_fits_the_published_schemas(data_folder: Path, tmp_path: Path, hub: str) -> None:
    path = write_metadata(tmp_path, Metadata(**METADATA))
    assert check_metadata(path, data_folder / hub / "hub-config" / "model-metadata-schema.json") == []
