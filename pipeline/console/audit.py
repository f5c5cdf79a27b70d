"""The audit log: who looked at whose story, and when.

It names no customer: of each it has the keyed digest, as receipts of erasure have, so that whoever
has the key can tell whether somebody was looked at, and the log outlives an erasure.
"""

import json
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final

AUDIT_NAME: Final = "console-audit.jsonl"


class Audit:
    """Appends lines to a file that only its owner reads.

    Args:
        directory: Where it is.
        digest: Makes the digest of a customer.
        clock: The wall clock.
    """

    def __init__(
        self, directory: Path, digest: Callable[[str], str], clock: Callable[[], datetime]
    ) -> None:
        self._path = directory / AUDIT_NAME
        self._digest = digest
        self._clock = clock

    def write(self, user: str, action: str, customer: str | None) -> None:
        """Write down that a user did something, before they are shown what they asked for.

        Raises:
            OSError: It cannot be written; then nothing may be shown.
        """
        line = {
            "at": f"{self._clock():%Y-%m-%dT%H:%M:%S.%fZ}",
            "user": user or "local",
            "action": action,
            "customer": None if customer is None else self._digest(customer),
        }
        opened = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(opened, json.dumps(line).encode() + b"\n")
        finally:
            os.close(opened)
