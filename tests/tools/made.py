"""Installed packages that are made for a test: their metadata, where Python looks for them."""

from pathlib import Path


def install(folder: Path, name: str, *lines: str, version: str = "1.0", licence: str | None = None) -> Path:
    """Puts the metadata of a package into a folder, with lines of its own and the text of its licence file."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    about = ["Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}", *lines]
    (info / "METADATA").write_text("\n".join(about) + "\n\nSome words.\n", encoding="utf-8")
    files = ["METADATA", "RECORD"]
    if licence is not None:
        (info / "LICENSE").write_text(licence, encoding="utf-8")
        files.append("LICENSE")
    (info / "RECORD").write_text("".join(f"{info.name}/{file},,\n" for file in files), encoding="utf-8")
    return info
