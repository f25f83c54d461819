"""The licence of an installed package, and whether it is one that twofold may depend on."""

import hashlib
import re
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any, NamedTuple

from license_expression import (
    ExpressionError,
    ExpressionParseError,
    LicenseSymbol,
    LicenseWithExceptionSymbol,
    get_spdx_licensing,
)

ALLOWED = {
    *("0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0"),
    *("ISC", "MIT", "MIT-CMU", "PSF-2.0", "Zlib"),
    # Of libraries that are imported, and never part of the wheel.
    *("LGPL-2.1-only", "LGPL-3.0-only", "MPL-2.0"),
}
"""SPDX identifiers."""
ALLOWED_NAMES = {
    *("3-Clause BSD License", "Apache Software License", "BSD", "BSD License", "MIT License"),
    "Python Software Foundation License",
    # As above.
    *("GNU Lesser General Public License v3 or later (LGPLv3+)", "Mozilla Public License 2.0 (MPL 2.0)"),
}
"""Licences by the names that packages without an SPDX expression give: of a classifier, or of the field `License`."""
READ = {
    "resvg-py": ("MIT", "753a9e3c09cece8584467a0f605e065005c2a5e5c6da4f0cbb0493d2d52b96f6"),
    "skops": ("MIT", "dc6e9951e4c7948f0ef73d5febe90f6cf72561094557c9ae5404ea3cd2ba45dd"),
}
"""Packages that name no licence: what a person read in their licence file, and the SHA-256 digest of that file."""

_SPDX = get_spdx_licensing()


class Licence(NamedTuple):
    """What a package says of its licence."""

    text: str
    is_expression: bool
    """Whether the text is an SPDX expression, rather than a name."""

    @property
    def allowed(self) -> bool:
        """Whether it is allowed: of licences joined by AND each one, of those joined by OR at least one."""
        if not self.is_expression:
            return self.text in ALLOWED_NAMES
        parsed = _SPDX.parse(self.text)
        return parsed is not None and _allowed(parsed)


def licence_of(package: Distribution) -> Licence | None:
    """A package's licence: its SPDX expression, its classifier, its one-line `License`, or what was read in its file.

    None where none of these tells it. Of several classifiers the first that is not allowed counts.
    """
    about = package.metadata
    if expression := _one(package, "License-Expression"):
        return Licence(expression, _is_expression(expression))
    classifiers = [words.split(" :: ") for words in about.get_all("Classifier", [])]
    named = [words[-1] for words in classifiers if words[0] == "License" and words[1:] != ["OSI Approved"]]
    if named:
        return Licence(next((name for name in named if name not in ALLOWED_NAMES), named[0]), is_expression=False)
    field = _one(package, "License")
    if field and "\n" not in field:
        return Licence(field, _is_expression(field))
    expression, digest = READ.get(canonical(about["Name"]), ("", ""))
    files = (file for file in package.files or () if file.name.upper().startswith("LICEN"))
    if any(hashlib.sha256(Path(file.locate()).read_bytes()).hexdigest() == digest for file in files):
        return Licence(expression, is_expression=True)
    return None


def _one(package: Distribution, field: str) -> str:
    """A field of a package's metadata that stands once; empty where it doesn't."""
    return package.metadata[field].strip() if field in package.metadata else ""


def canonical(name: str) -> str:
    """A package's name, spelt the one way (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _is_expression(text: str) -> bool:
    try:
        _SPDX.parse(text, validate=True)
    except (ExpressionError, ExpressionParseError):
        return False
    return True


def _allowed(part: Any) -> bool:
    if isinstance(part, LicenseSymbol | LicenseWithExceptionSymbol):
        return str(part) in ALLOWED
    together = any if isinstance(part, _SPDX.OR) else all
    return together(_allowed(each) for each in part.args)
