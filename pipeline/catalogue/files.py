"""The catalogue's directory, read into the rules of the core.

    inventory.toml      required
    missions/*.toml     one mission a file; none is fine
    rules.toml          optional: without it the defaults hold
    norms.toml          optional: without it no rule fires that needs to know what is usual

Everything that is wrong is found in one go. Which keys there are is said in `tables`, what must
agree between files in `checks`.
"""

from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from pipeline.catalogue import checks
from pipeline.catalogue.checks import Written
from pipeline.catalogue.documents import Document, M, read
from pipeline.catalogue.examples import Example, examples_of
from pipeline.catalogue.norms import NormsFile
from pipeline.catalogue.tables import InventoryFile, MissionFile, RulesFile
from pipeline.errors import CatalogueInvalid, Problem
from pipeline.stitching.missions import Missions
from pipeline.stitching.rules import Rules

FINGERPRINT_LENGTH: Final = 16
"""Hexadecimal digits of a catalogue's fingerprint: 64 bits, ample to tell a few apart."""


def load(directory: Path) -> Rules:
    """Read a catalogue.

    Raises:
        CatalogueInvalid: It cannot be used; holds every problem that was found, also those of
            its examples. Whether the examples turn out as they say is not tried here.
    """
    inventory, missions, rules, norms = _read(directory)
    complete = rules.rules(
        inventory.inventory(),
        Missions(tuple(file.mission() for _, file in missions)),
        {file.name: file.verdicts.model_dump(exclude_none=True) for _, file in missions},
        norms.norms(),
    )
    return msgspec.structs.replace(complete, fingerprint=fingerprint_of(complete))


def examples(directory: Path) -> list[Example]:
    """The examples of all missions, by file and in the order of each.

    Raises:
        CatalogueInvalid: As `load`.
    """
    _, missions, _, _ = _read(directory)
    return [example for document, file in missions for example in examples_of(document, file)]


def fingerprint_of(rules: Rules) -> str:
    """What tells these rules from others: the same for the same meaning, whatever the wording.

    Comments, layout and examples of the files do not count, nor what alerts are raised by, since
    no customer's results depend on it; the order of touchpoints and of identifier types does,
    since it decides. The same on every machine.
    """
    parts = msgspec.structs.asdict(rules)
    del parts["fingerprint"], parts["alerts"], parts["kept_for"]
    entries = rules.inventory.entries.values()
    parts["inventory"] = [msgspec.structs.replace(entry, needs=()) for entry in entries]
    parts["missions"] = list(rules.missions.all.values())
    parts["source_sessions"] = sorted(rules.source_sessions.items(), key=lambda one: one[0])
    norms = rules.norms
    parts["norms"] = (
        sorted(norms.steps.items(), key=lambda one: one[0]),
        norms.nodes,
        norms.measuring,
    )
    parts["classes"] = list(rules.identity.classes.items())
    written = msgspec.json.encode(parts, order="deterministic")
    return sha256(written).hexdigest()[:FINGERPRINT_LENGTH]


def _read(
    directory: Path,
) -> tuple[InventoryFile, list[tuple[Document, MissionFile]], RulesFile, NormsFile]:
    found = _Found()
    if not directory.is_dir():
        message = (
            "expected a directory with an inventory.toml; found none. Name it with --catalogue"
        )
        raise CatalogueInvalid([Problem(file=str(directory), line=None, message=message)])
    inventory_toml, rules_toml = directory / "inventory.toml", directory / "rules.toml"
    if not inventory_toml.exists():
        message = "expected the inventory of touchpoints; found no such file"
        found.problems.append(Problem(file=str(inventory_toml), line=None, message=message))
    inventory = found.document(inventory_toml)
    rules = found.document(rules_toml)
    norms = found.document(directory / "norms.toml")
    missions = [found.document(path) for path in sorted((directory / "missions").glob("*.toml"))]
    read_missions = [document for document in missions if document is not None]

    inventory_file = found.valid(inventory, InventoryFile)
    mission_files = [(document, found.valid(document, MissionFile)) for document in read_missions]
    rules_file = RulesFile() if rules is None else found.valid(rules, RulesFile)
    norms_file = NormsFile() if norms is None else found.valid(norms, NormsFile)
    found.problems += checks.problems(Written(inventory, read_missions, rules, norms))
    if found.problems or inventory_file is None or rules_file is None or norms_file is None:
        raise CatalogueInvalid(found.problems)
    valid = [(document, file) for document, file in mission_files if file is not None]
    return inventory_file, valid, rules_file, norms_file


class _Found:
    """The problems so far; reading goes on after each."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def document(self, path: Path) -> Document | None:
        """The file; None, and a problem, where it cannot be read; None where there is none."""
        if not path.exists():
            return None
        document = read(path)
        if isinstance(document, Problem):
            self.problems.append(document)
            return None
        return document

    def valid(self, document: Document | None, model: type[M]) -> M | None:
        """The document as its model; None, and problems, where it is not."""
        if document is None:
            return None
        value, problems = document.as_model(model)
        self.problems += problems
        return value
