"""Escaped HTML: plain text goes in and is made safe, `Html` goes in and stays as it is."""

from collections.abc import Sequence

from markupsafe import Markup as Html
from markupsafe import escape


def join(parts: Sequence[str], between: str = "") -> Html:
    """All parts, each escaped unless it is `Html`, one after the other."""
    return Html(escape(between).join(escape(part) for part in parts))


def tag(name: str, *children: str, **attributes: str | None) -> Html:
    """One element with its children.

    Args:
        name: element name, e.g. `p`.
        children: text (escaped) or `Html`.
        attributes: `class_` becomes class and `aria_label` aria-label; None leaves one out.

    Example:
        >>> tag("p", "a < b", class_="note")
        '<p class="note">a &lt; b</p>'
    """
    return Html(f"{_open(name, attributes)}{join(children)}</{name}>")


def _open(name: str, attributes: dict[str, str | None]) -> str:
    pairs = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{pairs}>"
