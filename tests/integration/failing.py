"""The command line on a disk whose fsync fails from when a file appears."""

import sys
from pathlib import Path

_FAILING = """
import sqlite3, sys
from functools import partial
from pathlib import Path
from {module} import {name} as before
import {module} as module
from pipeline.cli.main import main

class Disk(sqlite3.Connection):
    def execute(self, sql, *arguments):
        if sql == "COMMIT" and Path({broken!r}).exists():
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
            error.sqlite_errorname = "SQLITE_IOERR_FSYNC"
            raise error
        return super().execute(sql, *arguments)

module.{name} = partial(before, connection=Disk)
sys.exit(main())
"""


def launcher(broken: Path, module: str, name: str) -> tuple[str, ...]:
    """What stands before the command's arguments.

    Args:
        broken: The file that breaks the disk.
        module: Where the class is looked for by whoever makes one.
        name: The class that opens the database, and takes the class of its connection.
    """
    code = _FAILING.format(broken=str(broken), module=module, name=name)
    return (sys.executable, "-c", code)
