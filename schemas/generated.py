"""Files that are written from code: the command that writes them, or says what has drifted."""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path


def run(
    arguments: Sequence[str],
    repository: Path,
    everything: Callable[[], Mapping[Path, bytes]],
    drift: Callable[[], Sequence[str]],
) -> int:
    """Write the files, or with `--check` compare only: 0 alike, 1 drifted, 2 misused.

    Args:
        arguments: Of the command line.
        repository: Below which the files are.
        everything: Every file by its path, with its content.
        drift: What differs on disk, one line each.
    """
    if list(arguments) == ["--check"]:
        problems = drift()
        for problem in problems:
            sys.stderr.write(f"{problem}; run `make contracts`\n")
        return 1 if problems else 0
    if arguments:
        sys.stderr.write(f"expected nothing or --check; found {' '.join(arguments)}\n")
        return 2
    for path, content in everything().items():
        (repository / path).parent.mkdir(parents=True, exist_ok=True)
        (repository / path).write_bytes(content)
    return 0
