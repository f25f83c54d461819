"""What counts as a package's licence, and which ones are allowed."""

import hashlib
from importlib.metadata import Distribution
from pathlib import Path

import pytest

import licences
from licences import licence_of
from tools.made import install

BSD = "Classifier: License :: OSI Approved :: BSD License"
GPL = "Classifier: License :: OSI Approved :: GNU General Public License v3 (GPLv3)"


@pytest.mark.parametrize(
    ("lines", "text", "allowed"),
    [
        (["License-Expression: MIT"], "MIT", True),
        (["License-Expression: GPL-3.0-only"], "GPL-3.0-only", False),
        (["License-Expression: MIT AND GPL-3.0-only"], "MIT AND GPL-3.0-only", False),
        (["License-Expression: MIT OR GPL-3.0-only"], "MIT OR GPL-3.0-only", True),
        (["License-Expression: (MIT OR GPL-3.0-only) AND ISC"], "(MIT OR GPL-3.0-only) AND ISC", True),
        (["License-Expression: Apache-2.0 WITH LLVM-exception"], "Apache-2.0 WITH LLVM-exception", True),
        (
            ["License-Expression: GPL-3.0-only WITH Classpath-exception-2.0"],
            "GPL-3.0-only WITH Classpath-exception-2.0",
            False,
        ),
        (["License-Expression: LicenseRef-Mine"], "LicenseRef-Mine", False),
        (["License-Expression: MIT", GPL], "MIT", True),  # classifiers beside an expression are old
        ([BSD], "BSD License", True),
        ([BSD, "License: Copyright 2020, all of it", GPL], "GNU General Public License v3 (GPLv3)", False),
        ([BSD, "Classifier: License :: OSI Approved"], "BSD License", True),
        (["License: Apache-2.0"], "Apache-2.0", True),
        (["License: GPL"], "GPL", False),
        (["License: BSD"], "BSD", True),
    ],
)
def test_the_licence_is_what_the_metadata_say(tmp_path: Path, lines: list[str], text: str, allowed: bool) -> None:
    found = licence_of(Distribution.at(install(tmp_path, "some", *lines)))
    assert found is not None
    assert (found.text, found.allowed) == (text, allowed)


@pytest.mark.parametrize(
    "lines", [[], ["Classifier: License :: OSI Approved"], ["License: a long\n        text"], ["License: "]]
)
def test_a_licence_that_nothing_names_is_none(tmp_path: Path, lines: list[str]) -> None:
    assert licence_of(Distribution.at(install(tmp_path, "some", *lines, licence="Do as you like."))) is None


def test_a_licence_file_that_was_read_is_known_until_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = hashlib.sha256(b"Do as you like.").hexdigest()
    monkeypatch.setitem(licences.READ, "some-one", ("MIT", digest))
    found = licence_of(Distribution.at(install(tmp_path / "1", "some_one", licence="Do as you like.")))
    assert found == ("MIT", True)
    assert licence_of(Distribution.at(install(tmp_path / "2", "some_one", licence="Do as we like."))) is None
    assert licence_of(Distribution.at(install(tmp_path / "3", "another", licence="Do as you like."))) is None
