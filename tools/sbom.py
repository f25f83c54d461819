"""The bill of materials of a wheel: every package that it needs, in this environment's version, with its licence.

`python tools/sbom.py dist/twofold-VERSION-py3-none-any.whl` writes dist/twofold-VERSION.cdx.json (CycloneDX 1.6,
checked by its schema). What the wheel needs, with the extras that are installed here, is followed through the
metadata of the installed packages. A licence that is not allowed, or that can't be told, is an error with the package's
name.

The file holds no path, no host and no time; with SOURCE_DATE_EPOCH it holds that time. The same wheel in the same
environment gives the same bytes.
"""

import email.parser
import hashlib
import json
import os
import sys
import uuid
import zipfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from email.message import Message
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.requirements import Requirement
from packaging.version import Version

from licences import Licence, canonical, licence_of

OURS = {"bench", "dev", "docs"}
"""Extras that a clone of the repository needs, and nobody who installs the wheel."""
CUDA = "cuda-", "nvidia-", "triton"
"""How the names of packages begin that only some builds of torch need; they are told, and left out of the bill."""


class SupplyError(Exception):
    """The wheel needs something that is not here, or that it must not need."""


class Closure:
    """The packages that a wheel needs here.

    Attributes:
        packages: each one by its canonical name.
        needs: what each of them needs itself, and the wheel by the name `""`; names are canonical.
        extras: the extras of the wheel that are followed.
        left_out: those that are not installed here, each with the package that is missing.
        cuda: what this machine's build of torch needs besides.
    """

    def __init__(self, about: Message) -> None:
        self.packages: dict[str, Distribution] = {}
        self.needs: dict[str, set[str]] = {"": set()}
        self.extras: list[str] = []
        self.left_out: dict[str, str] = {}
        self.cuda: list[str] = []
        self._followed: set[tuple[str, str]] = set()
        requirements = [Requirement(each) for each in about.get_all("Requires-Dist", [])]
        for extra in ["", *sorted(set(about.get_all("Provides-Extra", [])) - OURS)]:
            wanted = list(_wanted(requirements, [extra]))
            missing = next((each.name for each in wanted if _found(each.name) is None), None)
            if missing and not extra:
                raise SupplyError(f"{missing} is not installed, and the wheel needs it")
            if missing:
                self.left_out[extra] = missing
                continue
            self.extras += [extra] if extra else []
            self._follow("", wanted)

    def _follow(self, user: str, wanted: Iterable[Requirement]) -> None:
        for each in wanted:
            name = canonical(each.name)
            if user == "torch" and name.startswith(CUDA):
                self.cuda.append(name)
                continue
            self.needs[user].add(name)
            package = _found(name)
            if package is None:
                raise SupplyError(f"{name} is not installed, and {user or 'the wheel'} needs it")
            if each.specifier and not each.specifier.contains(package.version, prereleases=True):
                raise SupplyError(f"{name} {package.version} is installed, and {user or 'the wheel'} needs {each}")
            self.packages[name] = package
            self.needs.setdefault(name, set())
            extras = [extra for extra in ("", *sorted(each.extras)) if (name, extra) not in self._followed]
            self._followed |= {(name, extra) for extra in extras}
            self._follow(name, _wanted([Requirement(line) for line in package.requires or ()], extras))

    def licences(self) -> dict[str, Licence]:
        """The licence of every package.

        Raises:
            SupplyError: with the names of those whose licence is not allowed or can't be told.
        """
        found = {name: licence_of(package) for name, package in sorted(self.packages.items())}
        wrong = [
            f"{name} {self.packages[name].version}: {licence.text if licence else 'names no licence'}"
            for name, licence in found.items()
            if licence is None or not licence.allowed
        ]
        if wrong:
            told = "\n  ".join(wrong)
            raise SupplyError(f"licences that tools/licences.py doesn't allow:\n  {told}")
        return {name: licence for name, licence in found.items() if licence}


def _wanted(requirements: Iterable[Requirement], extras: list[str]) -> Iterator[Requirement]:
    """The requirements that hold here for one of some extras; the extra `""` is none."""
    for each in requirements:
        if each.marker is None:
            if "" in extras:
                yield each
        elif any(each.marker.evaluate({"extra": extra}) for extra in extras):
            yield each


def _found(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def materials(wheel: Path) -> tuple[dict[str, Any], Closure]:
    """The bill of materials of a wheel as CycloneDX's JSON, and what it was made from.

    Raises:
        SupplyError: when a package is missing or its licence is not allowed.
    """
    with zipfile.ZipFile(wheel) as archive:
        (member,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        about = email.parser.Parser().parsestr(archive.read(member).decode())
    closure = Closure(about)
    licences = closure.licences()
    versions = {name: package.version for name, package in closure.packages.items()}
    address = {name: f"pkg:pypi/{name}@{_public(version)}" for name, version in versions.items()}
    address[""] = f"pkg:pypi/{about['Name']}@{about['Version']}"
    root = _component(address[""], Licence(about["License-Expression"], is_expression=True)) | {"type": "application"}
    root["hashes"] = [{"alg": "SHA-256", "content": hashlib.sha256(wheel.read_bytes()).hexdigest()}]
    told = {"twofold:extras": closure.extras, "twofold:extras-left-out": closure.left_out}
    properties = [{"name": name, "value": ", ".join(extras)} for name, extras in told.items()]
    found: dict[str, Any] = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": root, "properties": properties},
        "components": [_component(address[name], licences[name]) for name in sorted(versions)],
        "dependencies": [
            {"ref": address[name], "dependsOn": sorted(address[each] for each in needs)}
            for name, needs in sorted(closure.needs.items())
        ],
    }
    found["serialNumber"] = uuid.uuid5(uuid.NAMESPACE_OID, json.dumps(found)).urn
    if epoch := os.environ.get("SOURCE_DATE_EPOCH"):
        found["metadata"]["timestamp"] = datetime.fromtimestamp(int(epoch), UTC).isoformat()
    return found, closure


def _public(version: str) -> str:
    """A version without `+cpu` and the like, which tell how one machine got its build."""
    return Version(version).public


def _component(address: str, licence: Licence) -> dict[str, Any]:
    name, _, version = address.removeprefix("pkg:pypi/").partition("@")
    given = {"expression": licence.text} if licence.is_expression else {"license": {"name": licence.text}}
    known = {"type": "library", "bom-ref": address, "name": name, "version": version, "purl": address}
    return known | {"licenses": [given]}


def main(wheel: Path) -> int:
    """Writes the bill of materials beside the wheel; the exit status."""
    try:
        found, closure = materials(wheel)
    except SupplyError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    text = json.dumps(found, indent=1) + "\n"
    if broken := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        sys.stderr.write(f"error: what was written is no CycloneDX: {str(broken)[:500]}\n")
        return 1
    path = wheel.with_name("-".join(wheel.name.split("-")[:2]) + ".cdx.json")
    path.write_text(text, encoding="utf-8")
    sys.stdout.write(
        f"{path}: {len(closure.packages)} packages, every licence allowed; extras: {' '.join(closure.extras)}\n"
    )
    for extra, missing in closure.left_out.items():
        sys.stdout.write(f"not checked: extra {extra} ({missing} is not installed here)\n")
    if closure.cuda:
        sys.stdout.write(f"not checked: what this build of torch needs besides ({', '.join(closure.cuda)})\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
