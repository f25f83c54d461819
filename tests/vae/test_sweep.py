"""A run of a sweep is the same whether it was made in its folder or elsewhere, and sent home as files."""

from pathlib import Path

from engine.contents import content, differing
from twofold.engine.files import write_text
from twofold.engine.sound import JOURNAL
from twofold.vae import sweep
from vae.small import discs, images_of, tiny


def page(folder: Path) -> None:
    """Stands for a report."""
    write_text(folder / "report.html", str(len((folder / "arrays.npz").read_bytes())))


def test_a_run_that_is_sent_home_is_the_one_made_in_its_folder(tmp_path: Path) -> None:
    images, config = images_of(discs(40), tmp_path / "images"), tiny()
    shared = images, None, (images.digest, ["twofold", "vae", "sweep"]), None, page
    assert sweep._make_run(sweep._Sweep(*shared, tmp_path / "here"), config) == {}
    files = sweep._make_run(sweep._Sweep(*shared, None), config)
    assert files["DONE"] == b"" and ".lock" not in files
    sweep._bring_home(files, tmp_path / "home" / "run")
    here = tmp_path / "here" / sweep.run_name(config)
    assert differing(content(here), content(tmp_path / "home" / "run")) == []
    home = [path for path in (tmp_path / "home" / "run").rglob("*") if path.is_file() and path.name != JOURNAL]
    assert max(home, key=lambda path: path.stat().st_mtime_ns).name == "DONE", "written last"
