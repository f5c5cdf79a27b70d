"""The ACLs of docs/deploying.md, read from its commands, so that what is tried is what it says."""

import argparse
import re
import shlex
from pathlib import Path

from tests.brokers.secured import Right

DOCUMENT = Path(__file__).parents[2] / "docs" / "deploying.md"
COMMAND = "kafka-acls.sh"
RESOURCES = ("topic", "group", "transactional-id")


def commands() -> list[list[str]]:
    """The arguments of each `kafka-acls` of the document."""
    blocks = re.findall(r"```sh\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [shlex.split(line)[1:] for line in lines if line.startswith(f"{COMMAND} ")]


def acls() -> list[Right]:
    """All that they allow."""
    parser = argparse.ArgumentParser(COMMAND)
    parser.add_argument("--bootstrap-server", required=True)
    parser.add_argument("--command-config", required=True)
    parser.add_argument("--add", action="store_true", required=True)
    parser.add_argument("--allow-principal", required=True)
    parser.add_argument("--operation", action="append", required=True)
    parser.add_argument("--resource-pattern-type", choices=["literal", "prefixed"])
    for resource in RESOURCES:
        parser.add_argument(f"--{resource}", action="append", default=[])
    found = []
    for arguments in commands():
        given = parser.parse_args(arguments)
        found += [
            Right(given.allow_principal, operation, resource, name, prefixed)
            for prefixed in [given.resource_pattern_type == "prefixed"]
            for resource in RESOURCES
            for name in getattr(given, resource.replace("-", "_"))
            for operation in given.operation
        ]
    return found
