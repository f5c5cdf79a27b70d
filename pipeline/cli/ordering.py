"""What the commands share that order something of the embedded runtime, running or not."""

import sys
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final

from pipeline import bootstrap
from pipeline.errors import PipelineError
from pipeline.runtimes.embedded import orders
from pipeline.runtimes.embedded.erasing import Erasing
from pipeline.runtimes.embedded.lock import runs
from pipeline.runtimes.embedded.obeying import obey_stopped
from pipeline.runtimes.embedded.orders import Answer, Order
from pipeline.runtimes.errors import AlreadyRunning

POLL: Final = timedelta(milliseconds=50)


class OrderRefused(PipelineError):
    """An order was not carried out, or not in time. The message says why."""


def carry_out(directory: Path, order: Order, erasing: Erasing | None, patience: float) -> Answer:
    """Have an order obeyed: by the process that runs on the folder, else by this one.

    Should that process end meanwhile, this one does it.

    Args:
        directory: The data's.
        order: What is asked.
        erasing: Erases, where nobody runs; not needed for what is appended.
        patience: Seconds to wait for the running process.

    Raises:
        OrderRefused: It was refused, or nobody obeyed in time; then it is taken back.
        StorageUnreadable: There are no data, or they are not ours.
        StorageFailed: The disk did not do what was asked.
    """
    obey = partial(obey_stopped, directory, order, erasing, bootstrap.now)
    try:
        given = obey()
    except AlreadyRunning as running:
        given = _waited_for(directory, order, patience, running.pid, obey)
    if given.refused:
        raise OrderRefused(given.refused)
    return given


def _waited_for(
    directory: Path, order: Order, patience: float, pid: int | None, obey: Callable[[], Answer]
) -> Answer:
    orders.give(directory, order)
    until = time.monotonic() + patience
    if sys.stderr.isatty():
        print("waiting for the process that runs on the folder", file=sys.stderr)
    while (given := orders.answered(directory, order)) is None:
        if time.monotonic() >= until:
            orders.take_back(directory, order)
            message = (
                f"expected the process that runs on {directory} to answer within {patience:g} s; "
                f"it did not. Where it has begun, it goes on; give the order again to see, or "
                f"raise --timeout"
            )
            raise OrderRefused(message)
        if not runs(pid):
            try:
                given = obey()
            except AlreadyRunning as another:  # started meanwhile, and finds the order
                pid = another.pid
            else:
                orders.take_back(directory, order)
                return given
        time.sleep(POLL.total_seconds())
    return given
