"""Whether two folders hold the same results: to be run after a change of the code that must not change any.

`python bench/development/same.py OLD NEW` compares two run folders, or folders of them, byte for byte but for these:

- Left out (`UNPROMISED`) are `log.txt`, which tells when each command began and ended, and the digests of all files.
- JSON, JSON lines and the headers of safetensors files: wall-clock times (`TIMES`) are left out, and of `manifest.json`
  the words of the command.
- Pages (HTML): tags, attributes and texts must be the same in the same order; white space and the order of a tag's
  attributes may differ. Times (`PAGE_TIMES`, columns `TIME_COLUMNS`) and the run's command are left out. Where white
  space between two words of a line came or went, a note says so, since a reader can see that.
- skops files: the archive's members must be the same; when they were packed may differ.

It prints a line for each file that differs (for a page: its first differences, old | new) and a count. The exit status
is 0 where all is equal, 1 where something is not.
"""

import argparse
import difflib
import io
import itertools
import re
import sys
import zipfile
from html.parser import HTMLParser
from pathlib import Path

import polars as pl

UNPROMISED = "log.txt", "twofold.sha256"
TIMES = "seconds", "images_per_second", "wall_time_s"
TIME = re.compile(rf'(\\?"(?:{"|".join(TIMES)})\\?": )[^,}}\n]+')  # JSON in a string has a backslash before a quote
MODULE = re.compile(r'"(twofold[\w.]*)"')
COMMAND = re.compile(r'"command": \[[^\]]*\]')
PAGE_TIMES = re.compile(r"(?<=images seen in )[\d.,]+ s, [\d.,]+(?= images a second)|^[\d.,]+(?= s in all$)")
TIME_COLUMNS = {"Seconds"}
COMMAND_FOLLOWS = {"Command", "The same command on the same data gives the same figures:"}
INLINE = {"a", "abbr", "b", "code", "em", "i", "small", "span", "strong", "sub", "sup", "time"}
SHOWN, WIDTH = 5, 80


def around(old: str, new: str) -> str:
    """Two texts near the first character that differs."""
    pairs = enumerate(itertools.zip_longest(old, new))
    at = next((index for index, (a, b) in pairs if a != b), 0)
    start = max(0, at - WIDTH // 2)
    shown = " | ".join(repr(text[start : start + WIDTH]) for text in (old, new))
    return f"character {at}: {shown}" if start else shown


def single(text: str) -> str:
    """A text with one space for each stretch of white space, none at its ends; no-break and thin spaces stay."""
    return re.sub(r"[ \t\r\n\f]+", " ", text).strip(" ")


class Page(HTMLParser):
    """A page's tags and texts with the place of each, and its lines as a reader sees their white space."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.nodes: list[str] = []
        self.places: list[str] = []
        self.flow: list[str] = []
        self.section, self.before = "", ""
        self.columns: dict[int, str] = {}
        self.column, self.cell = 0, ""
        self.feed(content.decode())
        self.close()
        self.lines = [single(line) for line in "".join(self.flow).split("\0")]

    def add(self, node: str) -> None:
        self.nodes.append(node)
        self.places.append(f"#{self.section} after {self.before[-30:]!r}")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.section = dict(attrs).get("id") or self.section
        if tag == "table":
            self.columns = {}
        if tag == "tr":
            self.column = 0
        if tag in ("td", "th"):
            self.column, self.cell = self.column + 1, tag
        self.flow.append("" if tag in INLINE else "\0")
        words = (key if value is None else f'{key}="{value}"' for key, value in sorted(attrs, key=lambda each: each[0]))
        self.add(f"<{' '.join([tag, *words])}>")

    def handle_endtag(self, tag: str) -> None:
        self.cell = "" if tag in ("td", "th") else self.cell
        self.flow.append("" if tag in INLINE else "\0")
        self.add(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        self.flow.append(data)
        words = single(data)
        if words:
            self.add(self.kept(words))
            self.before = words

    def handle_comment(self, data: str) -> None:
        self.add(f"<!--{single(data)}-->")

    def handle_decl(self, decl: str) -> None:
        self.add(f"<!{decl}>")

    def kept(self, words: str) -> str:
        """A text without times and the run's command."""
        if self.before in COMMAND_FOLLOWS and "twofold" in words:
            return "COMMAND"
        if self.cell == "th":
            self.columns.setdefault(self.column, words)
        timed = self.cell == "td" and self.columns.get(self.column) in TIME_COLUMNS
        return "TIME" if timed else PAGE_TIMES.sub("TIME", words)


def pages(old: Page, new: Page) -> list[str]:
    """Where two pages differ."""
    found = []
    for kind, a, b, c, d in difflib.SequenceMatcher(None, old.nodes, new.nodes).get_opcodes():
        if kind == "equal":
            continue
        lost, won = "\n".join(old.nodes[a:b]), "\n".join(new.nodes[c:d])
        found.append(f"{old.places[a] if a < len(old.places) else 'at the end'}: {around(lost, won)}")
    rest = [f"and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
    return [*found[:SHOWN], *rest]


def spaces(old: Page, new: Page) -> list[str]:
    """Where white space between words of a line differs."""
    pairs = zip(old.lines, new.lines, strict=False)
    return [around(a, b) for a, b in pairs if a != b and a.replace(" ", "") == b.replace(" ", "")][:SHOWN]


def archives(old: bytes, new: bytes, packed: bool) -> list[str]:
    """Members of two archives that differ; where none does, the packing counts if `packed` says so."""
    members = []
    for content in (old, new):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members.append({name: archive.read(name) for name in archive.namelist()})
    before, after = members
    names = sorted(before.keys() | after.keys())
    found = [f"member {name}" for name in names if before.get(name) != after.get(name)]
    modules = [sorted(set(MODULE.findall(each.get("schema.json", b"").decode()))) for each in members]
    if modules[0] != modules[1]:
        found.append(f"modules of twofold in schema.json: {', '.join(modules[0])} | {', '.join(modules[1])}")
    return found or (["packed otherwise"] if packed else [])


def tables(old: bytes, new: bytes) -> list[str]:
    """Columns of two Parquet files that differ."""
    before, after = pl.read_parquet(io.BytesIO(old)), pl.read_parquet(io.BytesIO(new))
    if before.schema != after.schema:
        return [f"schema: {around(str(before.schema), str(after.schema))}"]
    if before.height != after.height:
        return [f"rows: {before.height} | {after.height}"]
    columns = [name for name in before.columns if not before[name].equals(after[name], null_equal=True)]
    return [f"columns {', '.join(columns)}" if columns else "the same table in other bytes"]


def tensors(old: bytes, new: bytes) -> list[str]:
    """Whether headers or tensors of two safetensors files differ, times in the headers left out."""
    headers, values = [], []
    for content in (old, new):
        end = 8 + int.from_bytes(content[:8], "little")
        headers.append(TIME.sub(r"\1TIME", content[8:end].decode()).rstrip())
        values.append(content[end:])
    found = [] if headers[0] == headers[1] else [f"header: {around(*headers)}"]
    return [*found, "values of tensors"] if values[0] != values[1] else found


def texts(old: bytes, new: bytes, name: str) -> list[str]:
    """Where two texts differ, times in JSON left out."""
    before, after = old.decode(), new.decode()
    if name.endswith((".json", ".jsonl", ".txt")):
        before, after = (TIME.sub(r"\1TIME", text) for text in (before, after))
    if name == "manifest.json":
        before, after = (COMMAND.sub("COMMAND", text) for text in (before, after))
    return [] if before == after else [around(before, after)]


def differences(old: bytes, new: bytes, name: str) -> list[str]:
    """Where two files of that name, whose bytes differ, hold something else."""
    suffix = Path(name).suffix
    if suffix == ".html":
        return pages(Page(old), Page(new))
    if suffix in (".npz", ".skops"):
        return archives(old, new, suffix == ".npz")
    if suffix == ".parquet":
        return tables(old, new)
    if suffix == ".safetensors":
        return tensors(old, new)
    if suffix in (".json", ".jsonl", ".svg", ".csv", ".yml", ".txt"):
        return texts(old, new, name)
    return [f"bytes ({len(old)} | {len(new)})"]


def files(folder: Path) -> set[str]:
    there = (path for path in folder.rglob("*") if path.is_file() and path.name not in UNPROMISED)
    return {str(path.relative_to(folder)) for path in there}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path, metavar="OLD")
    parser.add_argument("new", type=Path, metavar="NEW")
    chosen = parser.parse_args()
    for folder in (chosen.old, chosen.new):
        if not folder.is_dir():
            parser.error(f"{folder}: is no folder")
    before, after = files(chosen.old), files(chosen.new)
    differing = 0
    for name in sorted(before & after):
        old, new = (chosen.old / name).read_bytes(), (chosen.new / name).read_bytes()
        if old == new:
            continue
        found = differences(old, new, Path(name).name)
        differing += bool(found)
        if len(found) > 1:
            print(f"{name}:", *found, sep="\n    ")
        elif found:
            print(f"{name}: {found[0]}")
        if name.endswith(".html"):
            for place in spaces(Page(old), Page(new)):
                print(f"note, {name}: white space between words: {place}")
    for name in sorted(before ^ after):
        print(f"{name}: only in {'OLD' if name in before else 'NEW'}")
    both, one = len(before & after), len(before ^ after)
    print(f"{both} files compared: {both - differing} equal, {differing} differing; {one} only on one side")
    return int(bool(differing or one or not both))


if __name__ == "__main__":
    sys.exit(main())
