"""Sections of a run's report on what went in: the images, and the network that saw them."""

from collections import Counter
from typing import Any

from twofold.page.album import Album
from twofold.page.blocks import Column, Section, callout, definitions, details, paragraph, table
from twofold.page.html import Html, join, tag
from twofold.page.numbers import DASH, count, percent
from twofold.vae.report import caveats, sheets, wording
from twofold.vae.report.evidence import Evidence
from twofold.vae.report.hanging import across, enlarged, hang, many

RENDERED = (
    "RENDERED AVATARS. These pictures were drawn by a program, not photographed or drawn by hand. Nothing here says "
    "how the model does on faces of people or on your images."
)
_LISTED = 500
"""Names that a list holds at most; the run folder's files hold them all."""
_FITS = {
    "crop": "cropped to the square in its middle",
    "pad": "padded to a square with white",
    "stretch": "stretched to a square",
}


def images_section(evidence: Evidence, album: Album) -> Section:
    """Where the images come from, what was skipped, how they were split, and what the network saw of them."""
    data = evidence.scores["data"]
    parts = [_described(data, evidence.scores["embedded"]), _split_table(data), _skipped(evidence), _twice(evidence)]
    if evidence.labels is not None:
        parts.append(_worn(evidence))
    parts.append(_sheet(evidence, album))
    return Section("images", "The images", join(parts))


def _described(data: dict[str, Any], embedded: bool) -> Html:
    colour = "grey" if data["shape"][1] == 1 else "RGB"
    pairs = [
        ("Source", "avatars, rendered by a program, not photographed" if embedded else data["source"]),
        ("Images", count(data["images"])),
        ("Files skipped", f"{count(data['skipped'])}{_reasons(data['skipped_reasons'])}"),
        ("Exact duplicates", _duplicates(data)),
        ("Shape", f"{wording.shape(data['shape'])} (images, channels, height, width); {colour}"),
        ("Images not square", _FITS.get(data["fit"], data["fit"])),
        ("Digest (SHA-256)", tag("code", data["digest"])),
    ]
    return definitions(pairs)


def _reasons(reasons: dict[str, int]) -> str:
    ordered = sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0]))
    return ": " + "; ".join(f"{count(number)} {reason}" for reason, number in ordered) if ordered else ""


def _duplicates(data: dict[str, Any]) -> str:
    if not data["duplicates"]:
        return "none"
    found = f"{count(data['duplicates'])} with the pixels of an earlier image"
    return f"{found}, in {wording.plural(data['duplicate_groups'], 'group')}; each group is in one part of the split"


def _split_table(data: dict[str, Any]) -> Html:
    uses = {
        "train": "what the weights are learned from",
        "validation": "chooses the epoch whose weights are kept",
        "test": "held out; the scores are taken on it, once",
    }
    rows = [
        [wording.part(part).capitalize(), count(data[part]), percent(data[part] / data["images"]), use]
        for part, use in uses.items()
    ]
    columns = [Column("Part", "left"), Column("Images"), Column("Share"), Column("Use", "left")]
    return table(columns, rows, "A hash of an image's pixels decides its part, so adding images moves none")


def _skipped(evidence: Evidence) -> Html:
    if not evidence.skipped:
        return paragraph("No file was skipped.")
    rows = [[each["name"], each["reason"]] for each in evidence.skipped[:_LISTED]]
    caption = f"Skipped files{_cut(len(evidence.skipped), 'skipped.json')}"
    return details(
        f"The {wording.plural(len(evidence.skipped), 'file')} skipped, with reasons",
        table([Column("File", "left"), Column("Reason", "left")], rows, caption),
    )


def _twice(evidence: Evidence) -> Html:
    names = evidence.images.filter("duplicate")["name"].to_list()
    if not names:
        return Html("")
    listed = tag("ol", *(tag("li", name) for name in names[:_LISTED]), class_="names")
    note = f"Images with the pixels of an earlier one{_cut(len(names), 'images.parquet')}."
    summary = f"The {wording.plural(len(names), 'duplicate')}"
    return details(summary, join([paragraph(note), listed]))


def _cut(number: int, file: str) -> str:
    return f", the first {count(_LISTED)} of {count(number)}; {file} lists all" if number > _LISTED else ""


def _worn(evidence: Evidence) -> Html:
    """What the avatars vary in: the share of each value."""
    assert evidence.labels is not None
    rows = []
    for name in [column for column in evidence.labels.columns if column != "name"]:
        tallied = Counter(evidence.labels[name].to_list())
        ranked = sorted(tallied.items(), key=lambda pair: (-pair[1], str(pair[0])))
        shares = [f"{_value(value)} {percent(number / len(evidence.labels), 0)}" for value, number in ranked]
        rows.append([name.replace("_", " "), count(len(shares)), ", ".join(shares)])
    columns = [Column("Attribute", "left"), Column("Values"), Column("Share of the avatars", "left")]
    caption = "What the avatars vary in; labels.parquet says it of each"
    return details(f"The avatars' {wording.plural(len(rows), 'attribute')}", table(columns, rows, caption))


def _value(value: Any) -> str:
    words = {True: "yes", False: "no", None: DASH}
    return words[value] if value is None or isinstance(value, bool) else str(value).replace("_", " ").lower()


def _sheet(evidence: Evidence, album: Album) -> Html:
    sheet = evidence.arrays["sheet"]
    scale = enlarged(sheet.shape[2])
    columns = across(scale * sheet.shape[2])
    shown = sheet[: many(len(sheet), scale * sheet.shape[1], columns)]
    return hang(
        album,
        "samples",
        sheets.grid(shown, columns, scale),
        f"A sheet of {len(shown)} of the images after preprocessing.",
        f"{wording.plural(len(shown), 'image')} after preprocessing, as the network sees them, in an order that has "
        "nothing to do with their names.",
    )


def network_section(evidence: Evidence) -> Section:
    """The layers, the likelihood and the loss, and where a run of the original recipe departs from the study."""
    scores = evidence.scores
    parts: list[str] = [
        paragraph(
            f"The encoder turns an image into the mean and log variance of each of "
            f"{wording.plural(scores['model']['latent_dim'], 'unit')} of code; the decoder turns a draw of the code "
            "into an image again. Both are learned together."
        )
    ]
    if scores["departures"]:
        parts.append(callout(paragraph(scores["departures"])))
    parts += [_objective(scores), _layers(scores["model"])]
    parts += [tag("h3", "What the likelihood's nats are"), paragraph(caveats.density(scores))]
    return Section("network", "The network", join(parts))


def _objective(scores: wording.Scores) -> Html:
    objective = scores["objective"]
    loss = f"distortion + beta × rate, in nats an image, with beta = {wording.setting(objective['beta'])}"
    extras = []
    if objective["warmup"]:
        extras.append(f"beta rises from 0 over the first {percent(objective['warmup'], 0)} of the run")
    if objective["free_nats"]:
        extras.append(f"the first {wording.setting(objective['free_nats'])} nats of each unit's rate are free")
    pairs = [
        ("Network", scores["model"]["network"]),
        ("Likelihood", wording.likelihood(scores["likelihood"]["name"])),
        ("Sigma, of a value in [0,\u00a01]", wording.figure(scores["likelihood"]["sigma"], 3)),
        ("Loss", "; ".join([loss, *extras])),
        ("Parameters", count(scores["model"]["parameters"])),
    ]
    return definitions(pairs)


def _layers(model: dict[str, Any]) -> Html:
    columns = [Column("Layer", "left"), Column("Comes out as"), Column("Parameters")]
    rows: list[list[str]] = []
    groups: dict[int, str] = {}
    for part in ("encoder", "decoder"):
        layers = [layer for layer in model["layers"] if layer["part"] == part]
        groups[len(rows)] = part.capitalize()
        rows += [[layer["layer"], wording.shape(layer["shape"]), count(layer["parameters"])] for layer in layers]
        rows.append(_sum(f"{part.capitalize()}, sum", sum(layer["parameters"] for layer in layers)))
    groups[len(rows)] = "Together"
    rest = model["parameters"] - sum(layer["parameters"] for layer in model["layers"])
    if rest:
        rows.append(["Likelihood (its scale)", DASH, count(rest)])
    rows.append(_sum("Sum", model["parameters"]))
    return table(columns, rows, "Layers from image to code and back: channels × height × width", groups)


def _sum(name: str, number: int) -> list[str]:
    return [tag("strong", name), "", tag("strong", count(number))]
