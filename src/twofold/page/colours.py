"""The colours of pages, figures and maps in the light and the dark theme; style.css refers to them by name."""

LIGHT = {
    "ink": "#1f2328",
    "muted": "#59636e",
    "line": "#d1d9e0",
    "paper": "#ffffff",
    "panel": "#f6f8fa",
    "blue": "#0072b2",
    "orange": "#c04f00",
    "green": "#00795a",
    "purple": "#a1487a",
    "gold": "#8f6a00",
    "sky": "#3d8fc4",
}
"""Colours by name in the light theme; every pair of the six hues differs for colour-blind readers, too."""

DARK = {
    "ink": "#e6edf3",
    "muted": "#9aa5b1",
    "line": "#3a424c",
    "paper": "#0d1117",
    "panel": "#161b22",
    "blue": "#58a6e0",
    "orange": "#f28e3c",
    "green": "#2fc18f",
    "purple": "#dd8fbb",
    "gold": "#e0b53f",
    "sky": "#8fcdf5",
}
"""The same colours in the dark theme."""
