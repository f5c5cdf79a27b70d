"""Touchpoints from a Python application: three lines, and nothing but Python's own library.

    from listeners.emitters.python import Emitter

    emitter = Emitter("https://touchpoints.example.com", key="app-key", channel="app")
    emitter.track("payment_failed", {"user_id": "u-1"}, properties={"status": 502})

`track` puts into a bounded queue and returns; two threads write it to the spool, where there is
one, and send it in batches. Only `flush` and `close` wait for a disk or the network, and none
raises because of them. What is sent again carries the same id, and is absorbed by it.
"""

from listeners.emitters.python.delivery import Counts
from listeners.emitters.python.emitter import Emitter

__all__ = ["Counts", "Emitter"]
