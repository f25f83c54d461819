"""The one style sheet; every colour is a variable, so that inlined figures turn dark with the page."""

from importlib import resources

from twofold.page.colours import DARK, LIGHT


def _variables(colours: dict[str, str]) -> str:
    return "".join(f"--{name}:{value};" for name, value in colours.items())


CSS = (
    f":root{{color-scheme:light dark;--sans:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,"
    f"'DejaVu Sans',sans-serif;{_variables(LIGHT)}}}\n"
    f"@media screen and (prefers-color-scheme:dark){{:root{{{_variables(DARK)}}}}}\n"
    + (resources.files("twofold.page") / "style.css").read_text(encoding="utf-8")
)
