"""A broker for benchmarks and for trying things out: `python -m tests.brokers --port 9092`.

Prints the bootstrap address on a line of its own, and runs until Ctrl-C or SIGTERM. Apache Kafka
is tried first, since figures are about it, and at the JVM's full speed, not with the tests' quick
start.
"""

import argparse
import signal
import sys
from threading import Event

from tests.brokers.apache_kafka import ApacheKafka, FastApacheKafka
from tests.brokers.broker import Missing
from tests.brokers.choosing import KINDS, OWN, first

ORDER = sorted(OWN, key=lambda kind: kind != ApacheKafka.kind)


def main() -> int:
    """Run a broker until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m tests.brokers", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--kind", choices=list(KINDS), help="default: the first there is")
    arguments = parser.parse_args()
    stopped = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    kinds = [arguments.kind] if arguments.kind else ORDER
    try:
        broker = first(kinds, arguments.port, KINDS | {ApacheKafka.kind: FastApacheKafka})
    except Missing as error:
        sys.stderr.write(f"no broker: {error}\n")
        return 1
    try:
        sys.stderr.write(f"{broker.description}; Ctrl-C stops\n")
        sys.stdout.write(f"{broker.bootstrap_servers}\n")
        sys.stdout.flush()
        stopped.wait()
    finally:
        broker.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
