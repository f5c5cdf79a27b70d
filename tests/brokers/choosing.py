"""Which broker the tests get: the first kind that this machine has.

A cluster that is named, Docker, Apache Kafka on a JVM, and at last a broker in a Python wheel.
"""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from tests.brokers.apache_kafka import ApacheKafka
from tests.brokers.broker import Broker, Missing
from tests.brokers.cluster import Cluster
from tests.brokers.containers import Container
from tests.brokers.tansu import Tansu

KINDS: dict[str, type[Broker]] = {one.kind: one for one in (Cluster, Container, ApacheKafka, Tansu)}
"""In the order in which they are tried."""

OWN = tuple(kind for kind in KINDS if kind != "cluster")
"""Those that can be started for one test, and be hurt by it."""


def first(
    kinds: Iterable[str] = tuple(KINDS),
    port: int = 0,
    classes: Mapping[str, Callable[[int], Broker]] = MappingProxyType(KINDS),
) -> Broker:
    """Start the first broker that can be had.

    Args:
        kinds: Which are tried, in this order.
        port: Where it is to listen; 0 chooses a free one.
        classes: What makes one of each kind, given the port.

    Raises:
        Missing: None of them; the text says why of each.
    """
    reasons = []
    for kind in kinds:
        broker = classes[kind](port)
        try:
            broker.start()
        except Missing as error:
            broker.close()
            reasons.append(f"{kind}: {error}")
        except BaseException:
            broker.close()
            raise
        else:
            return broker
    raise Missing("; ".join(reasons))
