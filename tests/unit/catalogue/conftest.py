"""A small valid catalogue on disk, to be spoilt one place at a time."""

from pathlib import Path

import pytest

from pipeline.catalogue import files
from pipeline.errors import CatalogueInvalid

INVENTORY = """\
[[touchpoint]]
id = "view-bill"
name = "looking at my bill"
channel = "app"
owner = "app team"
recognise = [ { name = "Bill Viewed" }, { location = "/bills/*", intent = "bill" } ]

[[touchpoint]]
id = "pay-in-app"
name = "paying in the app"
channel = "app"
moment_of_truth = true

[[touchpoint]]
id = "payment-confirmed"
name = "reading that it is paid"
channel = "app"

[[touchpoint]]
id = "complain"
name = "complaining on the phone"
channel = "ivr"

[[touchpoint]]
id = "technician-visit"
name = "the technician at my door"
channel = "agent"
brand_moment = true
"""

MISSION = """\
name = "pay-bill"
title = "I want to pay my bill"
value = 38.50
intents = ["pay_bill"]
starts = ["view-bill"]
completes = ["payment-confirmed"]
frustrates = ["complain"]
patience = "2h"
planned_changes = ["app>ivr"]
objectives = { completion_rate_min = 0.92, duration_max = "6m", touchpoints_max = 8 }

[[phase]]
name = "look"
steps = ["view-bill"]

[[phase]]
name = "pay"
steps = [
  "pay-in-app",  # the way it should go
  "payment-confirmed",
]

[[example]]
name = "silence after a server error is frustration"
touchpoints = [
  "10:00 app view-bill",
  "10:01:30 app pay-in-app http_5xx slow at=/pay intent=pay_bill",
  "+1d 09:00 ivr complain rating=ces:2 customer=anna",
]
until = "+3h"
outcome = "frustrated"
reason = "gave_up"
broke_at = "pay-in-app"
verdicts = ["functional", "broken", "-"]

[[example]]
name = "who only complains starts nothing"
touchpoints = ["10:00 ivr complain"]
outcome = "none"
"""


class Written:
    """A catalogue's directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def write(self, name: str, text: str) -> None:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def spoil(self, name: str, right: str, wrong: str) -> None:
        text = (self.directory / name).read_text(encoding="utf-8")
        assert text.count(right) == 1, "the test spoils exactly one place"
        self.write(name, text.replace(right, wrong))

    def problems(self) -> list[str]:
        """Each problem as it is printed, with file names from the directory on."""
        try:
            files.load(self.directory)
        except CatalogueInvalid as invalid:
            return [str(one).replace(f"{self.directory}/", "") for one in invalid.problems]
        return []


@pytest.fixture
def catalogue(tmp_path: Path) -> Written:
    written = Written(tmp_path)
    written.write("inventory.toml", INVENTORY)
    written.write("missions/pay-bill.toml", MISSION)
    return written
