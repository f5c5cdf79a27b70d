"""A day's demo behind a real `touchpoints up`, and a real browser before its console."""

import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.browser.fixtures import browser as browser

AXE = "4.10.3"
"""The version of axe-core; from npm, kept outside the tree: it is MPL, and half a megabyte."""

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "touchpoints"


@pytest.fixture(scope="session")
def axe() -> str:
    """axe-core's script; without npm or its registry the test is skipped."""
    script = CACHE / f"axe-{AXE}.js"
    if not script.exists():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("no npm, which fetches axe-core: apt-get install npm")
        CACHE.mkdir(parents=True, exist_ok=True)
        fetched = subprocess.run(
            [npm, "pack", "--silent", f"axe-core@{AXE}"],
            cwd=CACHE,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if fetched.returncode:
            pytest.skip(f"npm could not fetch axe-core: {fetched.stderr.strip()[-200:]}")
        with tarfile.open(CACHE / fetched.stdout.strip()) as archive:
            found = archive.extractfile("package/axe.min.js")
            assert found is not None
            script.write_bytes(found.read())
    return script.read_text()
