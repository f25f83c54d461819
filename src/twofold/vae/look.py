"""What `vae look` tells of a set of images: how it is read, what looks odd, and the command to run next."""

import shlex
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from twofold.engine.errors import InputError
from twofold.vae.config import LookConfig
from twofold.vae.images.load import Images, copies_of_test, split_of
from twofold.vae.images.remarks import Remark, remarks
from twofold.vae.labels import Labels

_MOST = 12
"""Classes, names and reasons that a line lists."""


def account(images: Images, given: LookConfig, labels: Labels | None, path: Path) -> dict[str, Any]:
    """Facts on a set of images, for people and programs.

    Args:
        given: the settings that were asked for.
        path: of the images, for the command.
    """
    seen, found = images.seen, remarks(images, given.image)
    parts: dict[str, Any] = {}
    try:
        split = split_of(images, given.split)
        parts = {part: len(rows) for part, rows in vars(split).items()}
        parts["test_copies"] = copies_of_test(images, split)
        refused = None
    except InputError as error:
        refused = str(error)
    columns = labels.table.drop("name") if labels else None
    return {
        "source": images.source,
        "images": len(images.names),
        "skipped": [asdict(skip) for skip in images.skipped],
        "formats": seen.kinds,
        "sizes": [{"width": w, "height": h, "images": n} for w, h, n in seen.sizes],
        "different_sizes": seen.different_sizes,
        "range": images.config.range,
        "clipped": seen.clipped,
        "size": list(images.pixels.shape[1:3]),
        "fit": images.config.fit,
        "cropped": seen.cropped,
        "enlarged": seen.enlarged,
        "channels": images.config.channels,
        "grey": not seen.coloured,
        "unread_pages": dict(seen.unread),
        "labels": None
        if columns is None
        else {column.name: dict(Counter(map(str, column)).most_common()) for column in columns},
        "labels_from": labels.origin if labels else None,
        "split": parts,
        "split_refused": refused,
        "remarks": [remark.sentence() for remark in found],
        "command": ["twofold", "vae", "run", "--images", str(path), *_options(given, found)],
    }


def _options(given: LookConfig, found: list[Remark]) -> list[str]:
    """The settings that were given, and those that the remarks propose, which come before."""
    proposed = {remark.option[0]: list(remark.option[1:]) for remark in found if remark.proposed}
    words: list[str] = []
    for group, config in (("image", given.image), ("split", given.split)):
        plain = type(config)()
        for name in type(config).model_fields:
            flag = "--fit" if name == "fit" else f"--{group}.{name.replace('_', '-')}"
            value = getattr(config, name)
            if flag in proposed:
                words += [flag, *proposed[flag]]
            elif value != getattr(plain, name):
                words += [flag, *_words("auto" if name == "channels" and value == 0 else value)]
    return words


def _words(value: Any) -> list[str]:
    if value is True:
        return []
    return [f"{each:.17g}" for each in value] if isinstance(value, tuple) else [str(value)]


def lines(found: dict[str, Any]) -> str:
    """The account as text."""
    reasons = Counter(skip["reason"] for skip in found["skipped"])
    skipped = "; ".join(f"{number:,} {reason}" for reason, number in reasons.most_common(_MOST))
    height, width = found["size"]
    sizes = ", ".join(f"{each['images']:,} of {each['height']} x {each['width']}" for each in found["sizes"])
    more = found["different_sizes"] - len(found["sizes"])
    fits = {"crop": "cropped to the middle", "pad": "padded with white", "stretch": "stretched"}
    fitted = f"{height} x {width}, {fits[found['fit']]}"
    if found["cropped"]:
        fitted += f" ({100 * found['cropped']:.0f} % of an image's pixels lost on average)"
    if found["enlarged"]:
        fitted += f"; {found['enlarged']:,} enlarged"
    scale = "as stored" if found["range"] is None else "{:g} is black, {:g} white".format(*found["range"])
    rows = {
        "read": f"{found['images']:,} images",
        "skipped": f"{len(found['skipped']):,} files" + (f": {skipped}" if skipped else ""),
        "formats": ", ".join(f"{number:,} {kind}" for kind, number in found["formats"].items()),
        "sizes": f"{sizes}{f' and {more:,} more sizes' if more > 0 else ''} (height x width)",
        "scale": scale,
        "fitted": fitted,
        "channels": ("1 (grey)" if found["channels"] == 1 else "3 (RGB)"),
        "labels": _labels(found),
        "split": found["split_refused"]
        or "{train:,} training, {validation:,} validation, {test:,} test images".format(**found["split"]),
    }
    text = [found["source"], *(f"  {name:<9} {value}" for name, value in rows.items())]
    text += [f"note: {remark}" for remark in found["remarks"]]
    text += [
        f"sheet: {found['sheet']['file']} ({found['sheet']['images']:,} of the images, as the model would see them)"
    ]
    return "\n".join([*text, f"next: {shlex.join(found['command'])}", ""])


def _labels(found: dict[str, Any]) -> str:
    if found["labels"] is None:
        return "none"
    origins = {"folders": "class folders", "archive": "the archive's labels", "file": "--labels"}
    shown = []
    for name, classes in found["labels"].items():
        some = ", ".join(f"{each} ({number:,})" for each, number in list(classes.items())[:_MOST])
        more = f" and {len(classes) - _MOST:,} more" if len(classes) > _MOST else ""
        shown.append(f"{name}, {len(classes):,} classes: {some}{more}")
    return f"{origins[found['labels_from']]}: {'; '.join(shown)}"
