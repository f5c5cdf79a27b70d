"""Workers on Kafka: the full pipeline, its scaling, restores, and from post to verdict.

    python -m tests.benchmarks.workers [--bootstrap-servers HOST:PORT] [--quick] [PART …]

Parts: `pipeline` (one worker, more customers), `known` (one that knows up to a million customers),
`two` (one worker and two), `restore` (a changelog of a million keys), `latency` (from a listener's
post to the verdict on the topic), `rolling` (the same while two workers are restarted). Without an
address the tests' own broker is started. CPU seconds are those of the workers, user and system.
"""

import argparse
import os
from collections.abc import Callable

from tests.benchmarks.load.measuring import machine
from tests.benchmarks.workers import known, latency, pipeline, restore
from tests.brokers.broker import Broker
from tests.brokers.choosing import first
from tests.brokers.cluster import DISPOSABLE, VARIABLE

PARTS: dict[str, Callable[[Broker, bool], None]] = {
    "pipeline": pipeline.more_customers,
    "known": known.ever_more,
    "two": pipeline.two_workers,
    "restore": restore.million_keys,
    "latency": latency.post_to_verdict,
    "rolling": latency.rolling_restart,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="which; all without")
    parser.add_argument("--bootstrap-servers", help="a broker whose topics may be deleted")
    parser.add_argument("--quick", action="store_true", help="a tenth of the work")
    options = parser.parse_args()
    print(machine())
    if options.bootstrap_servers:
        os.environ |= {VARIABLE: options.bootstrap_servers, DISPOSABLE: "1"}
    broker = first()
    print(f"broker: {broker.description}, 4 partitions")
    try:
        for name in options.parts or PARTS:
            PARTS[name](broker, options.quick)
    finally:
        broker.close()


if __name__ == "__main__":
    main()
