"""Dialogflow's interaction log, an exported file, sent by the command that the document gives."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.serving import ROOT, Up, records_of

pytestmark = pytest.mark.skipif(
    shutil.which("curl") is None or shutil.which("split") is None,
    reason="curl and coreutils' split are not installed",
)

ROWS = 2_100


def row(number: int) -> dict[str, object]:
    match = {"matchType": "NO_MATCH" if number % 3 == 0 else "INTENT", "confidence": 0.9}
    return {
        "conversation_name": f"projects/p/locations/eu/agents/a1/sessions/s-{number // 7}",
        "turn_position": number,
        "request_time": f"2026-11-22T10:{number % 60:02}:05.678Z",
        "response": {"queryResult": {"text": "what was typed", "match": match}},
    }


def test_an_exported_log_comes_through_once_however_often_it_is_sent(tmp_path: Path) -> None:
    (command,) = re.findall(
        r"```sh\n(split .*?)```", (ROOT / "docs" / "vendors.md").read_text(), re.DOTALL
    )
    log = tmp_path / "dialogflow-log.ndjson"
    log.write_text("".join(json.dumps(row(number)) + "\n" for number in range(ROWS)))

    with Up(tmp_path / "data") as up:
        for _ in range(2):
            done = subprocess.run(
                ["bash", "-c", command.replace("https://in.example.com", up.url)],
                cwd=tmp_path,
                env=os.environ | {"KEY": "bot"},
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert (done.returncode, done.stderr) == (0, "")
        found = records_of(up.data, "touchpoints")

    assert len({one["id"] for one in found}) == ROWS
    assert {one["source"] for one in found} == {"bot"}
    assert sum("fallback" in (one.get("signals") or ()) for one in found[:ROWS]) == ROWS / 3
    assert "what was typed" not in str(found)
