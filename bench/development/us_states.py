"""Makes src/twofold/hub/report/us_states.json, once: outlines of the states, small enough for every page.

`npm pack us-atlas@3.0.1`, unpack it, then `python bench/development/us_states.py package/states-albers-10m.json`.
The shapes are the U.S. Census Bureau's and in the public domain; us-atlas (ISC) simplified and projected them.
"""

import json
import sys
from pathlib import Path

from topology import decode, extent, path, rings, simplify

TARGET = Path(__file__).parents[2] / "src" / "twofold" / "hub" / "report" / "us_states.json"
SMALLEST_BEND = 3.0  # square pixels
SMALLEST_ISLAND = 8.0  # square pixels
WIDTH, HEIGHT = 975, 610


def main(source: Path) -> None:
    topology = json.loads(source.read_text())
    arcs = [simplify(arc, SMALLEST_BEND) for arc in decode(topology)]
    states = sorted(topology["objects"]["states"]["geometries"], key=lambda geometry: geometry["id"])
    shapes = {}
    for state in states:
        first, *others = rings(state, arcs)
        shapes[state["id"]] = path([first, *(each for each in others if extent(each) >= SMALLEST_ISLAND)])
    found = {
        "source": "us-atlas 3.0.1 (ISC), states-albers-10m.json: U.S. Census Bureau, public domain; simplified",
        "width": WIDTH,
        "height": HEIGHT,
        "shapes": shapes,
    }
    TARGET.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
