"""A YAML file to a checked `Flow`. Every error has its line and column, and all of them come at once.

A flow may name others of its folder: those are found, and held against what the flow says of them (`linking`).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from msgspec.structs import replace

from ivr_flows import linking
from ivr_flows.flow import Flow
from ivr_flows.flow_reading import read_flow
from ivr_flows.source import Faults, FlowError, FlowErrors, MapNode, Node, octets_of, parsed
from ivr_flows.values import Reading

__all__ = ["Checked", "Files", "FlowError", "FlowErrors", "check", "flow_files", "load", "load_folder", "read_folder"]

BESIDE: Final = (".test.yaml", ".sim.yaml")
"""The ends of files that stand beside flows and are none."""
CATALOGUE: Final = "prompts.yaml"
VERSION_DIGITS: Final = 12


@dataclass(frozen=True)
class Checked:
    """What a file says, where each thing stands in it, and what is wrong with it."""

    path: Path
    flow: Flow | None
    reading: Reading
    errors: tuple[FlowError, ...]


class Catalogue(NamedTuple):
    """The prompts that stand beside the flows of a folder, none of them read: each flow reads those that it uses. With
    them what is wrong with the file, and its octets."""

    prompts: Mapping[str, Node]
    errors: tuple[FlowError, ...]
    octets: bytes


def flow_files(folder: Path) -> list[Path]:
    """Return the files of a folder's flows by name, without what stands beside them: scenarios, the catalogue."""
    return sorted(path for path in folder.glob("*.yaml") if not stands_beside(path))


def stands_beside(path: Path) -> bool:
    """Whether a file stands beside flows and is none: scenarios, what is simulated, the catalogue of prompts."""
    return path.name == CATALOGUE or path.name.endswith(BESIDE)


def load(path: Path, files: "Files | None" = None) -> Flow:
    """Return the flow in a file. Raises `FlowErrors` with everything that is wrong with it."""
    checked = (files or Files()).linked(path)
    if checked.flow is None or checked.errors:
        raise FlowErrors(checked.errors)
    return checked.flow


def check(path: Path) -> list[FlowError]:
    """Return everything that is wrong with a file, in its order; nothing for a flow that can be used."""
    return list(Files().linked(path).errors)


def load_folder(folder: Path) -> dict[str, Flow]:
    """Return the flows of a folder by name. Raises `FlowErrors` with everything that is wrong with any of them."""
    linked = read_folder(folder)
    errors = [error for checked in linked for error in checked.errors]
    if errors:
        raise FlowErrors(errors)
    return {checked.flow.name: checked.flow for checked in linked if checked.flow is not None}


def read_folder(folder: Path) -> list[Checked]:
    """Read the flows of a folder and hold them against each other; where one has errors by itself, each by itself."""
    files = Files()
    read_ones = [files.by_itself(path) for path in flow_files(folder)]
    if any(checked.errors for checked in read_ones):
        return read_ones
    library = {checked.flow.name: checked for checked in read_ones if checked.flow is not None}
    return [_joined(checked, library) for checked in read_ones]


class Files:
    """Files of flows, each read once, however many others name it."""

    def __init__(self) -> None:
        self._checked: dict[Path, Checked] = {}
        self._catalogues: dict[Path, Catalogue] = {}

    def by_itself(self, path: Path) -> Checked:
        """Read a file: nothing that it names outside itself is looked for but files of sound and words."""
        if path not in self._checked:
            self._checked[path] = _checked(path, self._catalogue(path.parent))
        return self._checked[path]

    def linked(self, path: Path) -> Checked:
        """Read a file, and hold it against the others of its folder that it names."""
        checked = self.by_itself(path)
        if checked.flow is None or checked.errors:
            return checked
        library = {checked.flow.name: checked}
        for other in flow_files(path.parent) if linking.names_flows(checked.reading) else ():
            found = self.by_itself(other)
            if found.flow is not None:
                library.setdefault(found.flow.name, found)
        return _linked(checked, checked.flow, library)

    def _catalogue(self, folder: Path) -> Catalogue:
        if folder not in self._catalogues:
            self._catalogues[folder] = _catalogue(folder / CATALOGUE)
        return self._catalogues[folder]


def _checked(path: Path, shared: Catalogue) -> Checked:
    faults = Faults(str(path))
    reading = Reading(faults, path.parent, shared=dict(shared.prompts))
    octets = octets_of(path, faults)
    root = parsed(octets, faults)
    faults.found.update(shared.errors)
    flow = None if root is None else read_flow(reading, root)
    if flow is not None and octets is not None:
        flow = replace(flow, version=_version(octets, shared.octets))
    return Checked(path, flow, reading, tuple(faults.sorted()))


def _catalogue(path: Path) -> Catalogue:
    if not path.is_file():
        return Catalogue({}, (), b"")
    faults = Faults(str(path))
    octets = octets_of(path, faults)
    root = parsed(octets, faults)
    if root is not None and not isinstance(root, MapNode):
        faults.add(root, "bad-value", "a catalogue is a mapping of names to words")
    prompts = {key: value for key, (_, value) in root.items.items()} if isinstance(root, MapNode) else {}
    return Catalogue(prompts, tuple(faults.sorted()), octets or b"")


def _joined(checked: Checked, library: Mapping[str, Checked]) -> Checked:
    """Hold a flow against the others of its folder, of which none has an error by itself."""
    if checked.flow is None:
        raise ValueError("only a flow that could be read is linked")
    same = library[checked.flow.name]
    if same is checked:
        return _linked(checked, checked.flow, library)
    text = f"'{checked.flow.name}' is the name of the flow in {same.path.name} as well"
    twice = FlowError(str(checked.path), 1, 1, "duplicate-flow", text)
    return Checked(checked.path, checked.flow, checked.reading, (twice,))


def _linked(checked: Checked, flow: Flow, library: Mapping[str, Checked]) -> Checked:
    """Join a flow with those that it may come to, and hold them against what it says of them."""
    faults = Faults(str(checked.path))
    sound = {name: other.flow for name, other in library.items() if other.flow is not None and not other.errors}
    broken = {name: str(other.errors[0]) for name, other in library.items() if other.errors}
    for named in checked.reading.named:
        linking.check_named(faults, checked.reading, flow, named, sound, broken)
    parts = linking.closure(flow, sound)
    joined = replace(flow, flows=parts, version=_version(*(part.version.encode() for part in (flow, *parts.values()))))
    return Checked(checked.path, joined, checked.reading, tuple(faults.sorted()))


def _version(*octets: bytes) -> str:
    return hashlib.sha256(b"".join(octets)).hexdigest()[:VERSION_DIGITS]
