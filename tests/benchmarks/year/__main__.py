"""A year of customers whose wishes are known, through the pipeline, and how well it told them.

    python -m tests.benchmarks.year [--customers 100000] [--days 365] [--seed 1] [--quick]

Prints Markdown tables: precision and recall of mission, outcome, `broke_at` and customer, where
an ideal observer of the records could tell, and where not, with the reason. See docs/truth.md.
"""

import argparse
import sys

from tests.benchmarks.load.measuring import ROOT, machine
from tests.benchmarks.year import tables
from tests.benchmarks.year.running import simulate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="a fiftieth of the customers")
    parser.add_argument("--examples", type=int, default=0, help="so many mistakes of each kind")
    parser.add_argument("--catalogue", default=str(ROOT / "seeds"), help="another directory")
    options = parser.parse_args()
    customers = options.customers // 50 if options.quick else options.customers
    print(machine())
    year = simulate(customers, options.days, options.seed, options.catalogue)
    for line in tables.report(year):
        print(line)
    if options.examples:
        for line in tables.examples(year, options.examples):
            print(line)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
