"""What is found in a folder: kinds, headlines, ids that lead nowhere else."""

import shutil
from pathlib import Path

import pytest

from app.folders import CONFIGS, Client, put, vae_scores
from twofold.app.runs import WITHOUT_PAGE, Runs


def test_each_kind_of_run_is_known_by_its_config(tmp_path: Path) -> None:
    for kind in CONFIGS:
        put(tmp_path / kind.replace(" ", "-"), kind)
    assert {run.id: run.kind for run in Runs(tmp_path).all()} == {kind.replace(" ", "-"): kind for kind in CONFIGS}


def test_the_list_tells_score_state_and_addresses(tmp_path: Path) -> None:
    put(tmp_path / "vae" / "one", "vae run", vae_scores(0.5))
    put(tmp_path / "two", "vae run", vae_scores(None, 12.34))
    put(tmp_path / "three", "vae run", done=False)
    found = {run["id"]: run for run in Client(tmp_path).get("/api/runs").json()}
    assert found["vae~one"]["headline"] == {"name": "bits_per_dim", "value": 0.5, "text": "0.5000"}
    assert found["two"]["headline"]["text"] == "12.34"
    assert (found["three"]["finished"], found["three"]["page"], found["three"]["report"]) == (False, None, None)
    assert found["vae~one"] == Client(tmp_path).get("/api/runs/vae~one").json()
    assert Client(tmp_path).get(found["vae~one"]["report"]).text.endswith("report of one")


def test_runs_of_a_sweep_are_its_parts(tmp_path: Path) -> None:
    runs = [{"beta": beta, "scores": vae_scores(0.9, nats)} for beta, nats in ((0.0, 9.0), (4.0, 7.0))]
    sweep = put(tmp_path / "sweep", "vae sweep", {"runs": runs})
    put(sweep / "runs" / "beta-0", "vae run", vae_scores(0.9))
    found = {run.id: run.summary() for run in Runs(tmp_path).all()}
    assert found["sweep~runs~beta-0"].parent == "sweep"
    headline = found["sweep"].headline
    assert headline is not None
    assert (headline.value, headline.name) == (7.0, "lowest negative_elbo_nats, beta 4")


def test_scores_of_another_version_hide_no_run(tmp_path: Path) -> None:
    put(tmp_path / "odd", "trend run", {"test": 3})
    (put(tmp_path / "broken", "trend run") / "scores.json").write_text("{")
    assert [(run.id, run.summary().headline) for run in Runs(tmp_path).all()] == [("broken", None), ("odd", None)]


def test_the_folder_itself_may_be_a_run(tmp_path: Path) -> None:
    put(tmp_path / "run", "vae run")
    assert [run.id for run in Runs(tmp_path / "run").all()] == ["~"]
    assert Client(tmp_path / "run").get("/runs/~/report").status_code == 200


def test_ids_of_different_folders_differ(tmp_path: Path) -> None:
    for name in ("a/b", "a~b", "a%7Eb"):
        put(tmp_path / name, "vae run")
    names = [run["id"] for run in Client(tmp_path).get("/api/runs").json()]
    assert sorted(names) == ["a%257Eb", "a%7Eb", "a~b"]
    for name in names:
        answer = Client(tmp_path).get(f"/api/runs/{name.replace('%', '%25')}")
        assert answer.json()["id"] == name


@pytest.mark.parametrize("name", ["..", "%2e%2e", "..%2foutside", "inside~..~..~outside", "/etc", "outside", "link"])
@pytest.mark.parametrize("address", ["/api/runs/{}", "/runs/{}/report"])
def test_no_id_leads_out_of_the_folder(tmp_path: Path, name: str, address: str) -> None:
    put(tmp_path / "outside", "vae run")
    put(tmp_path / "runs" / "inside", "vae run")
    (tmp_path / "runs" / "link").symlink_to(tmp_path / "outside")
    answer = Client(tmp_path / "runs").get(address.format(name))
    assert answer.status_code == 404
    assert "report of" not in answer.text


def test_a_file_that_is_a_link_out_of_the_folder_is_not_served(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    run = put(tmp_path / "runs" / "run", "vae run")
    (run / "report.html").unlink()
    (run / "report.html").symlink_to(tmp_path / "secret")
    answer = Client(tmp_path / "runs").get("/runs/run/report")
    assert answer.status_code == 404
    assert "secret" not in answer.text


def test_an_unfinished_run_has_no_report_yet(tmp_path: Path) -> None:
    run = put(tmp_path / "run", "trend run", done=False)
    (run / "report.html").write_text("half")
    assert Client(tmp_path).get("/runs/run/report").status_code == 409


def test_home_names_runs_as_text(tmp_path: Path) -> None:
    put(tmp_path / "<b>bold", "vae run", vae_scores(0.25))
    page = Client(tmp_path).get("/").text
    assert "&lt;b&gt;bold" in page and "<b>bold" not in page
    assert "0.2500" in page
    assert "/runs/%3Cb%3Ebold" in page


def test_home_of_an_empty_folder_says_so(tmp_path: Path) -> None:
    assert "There is none yet" in Client(tmp_path).get("/").text


def test_nothing_is_written(tmp_path: Path) -> None:
    put(tmp_path / "run", "vae run", vae_scores(0.5))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    asking = Client(tmp_path)
    for address in ("/", "/api/runs", "/api/runs/run", "/runs/run/report"):
        assert asking.get(address).status_code == 200
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_a_run_that_went_is_left_out(tmp_path: Path) -> None:
    run, ask = put(tmp_path / "run", "vae run"), Client(tmp_path)
    assert len(ask.get("/api/runs").json()) == 1
    shutil.rmtree(run)
    assert ask.get("/api/runs").json() == []
    assert ask.get("/api/runs/run").status_code == 404


@pytest.mark.parametrize("kind", [kind for kind in CONFIGS if kind not in WITHOUT_PAGE])
def test_a_page_of_another_version_is_told(tmp_path: Path, kind: str, vae_runs: Path, trend_runs: Path) -> None:
    run = put(tmp_path / "run", kind, {"runs": [{}], "test": {}})
    for path in ("discs/arrays.npz", "waves/predictions.parquet", "waves/tomorrow.parquet", "waves/panel.parquet"):
        folder = vae_runs if path.startswith("discs") else trend_runs
        shutil.copy(folder / path, run)
    answer = Client(tmp_path).get("/runs/run")
    assert answer.status_code == 409
    assert "<h1>409</h1>" in answer.text
    assert Client(tmp_path).get("/runs/run/report").status_code == 200


def test_a_kind_without_a_page_of_its_own_is_shown_by_its_report(tmp_path: Path) -> None:
    best = {"figure": "bits_per_dim", "best": {"value": 0.31}, "default": None}
    put(tmp_path / "tune", "vae tune", best)
    client = Client(tmp_path)
    [found] = client.get("/api/runs").json()
    assert found["headline"] == {"name": "validation bits_per_dim", "value": 0.31, "text": "0.3100"}
    assert found["page"] is None and client.get(found["report"]).text.endswith("report of tune")
    answer = client.get("/runs/tune")
    assert answer.status_code == 404 and "its report alone" in answer.text
    assert "report" in client.get("/").text
