"""The SDKs that are not in this project's environment: fetched once, kept outside the repository.

In the folder that `TOUCHPOINTS_SDK_CACHE` names, else in the user's cache. npm's need Node; one of
PyPI's asks for a version of a library that would not go with ours, so it stands beside.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.browser import launching

NPM = {
    "@rudderstack/analytics-js": "3.34.1",
    "@rudderstack/rudder-sdk-node": "3.0.13",
    "@segment/analytics-next": "1.84.3",
    "@segment/analytics-node": "3.1.0",
    "@snowplow/browser-tracker": "4.10.1",
    "@snowplow/node-tracker": "4.8.0",
    "posthog-js": "1.449.2",
    "posthog-node": "5.70.0",
}
PYPI = ("snowplow-tracker==1.1.0",)

NODE_MIN = 20

FETCH_MAX = 240
"""Seconds that a registry may take."""


class Missing(Exception):
    """Why something is not here, for whoever reads that a test was skipped."""


def browser() -> str:
    """The command of a Chromium."""
    path = launching.found()
    if path is None:
        message = f"no browser: none of {', '.join(launching.NAMES)} is installed"
        raise Missing(message)
    return path


def of_npm() -> Path:
    """The folder whose `node_modules` has them."""
    for name in ("node", "npm"):
        if shutil.which(name) is None:
            message = f"{name} is not installed"
            raise Missing(message)

    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False)
    said = version.stdout.strip()
    if int("".join(filter(str.isdigit, said.partition(".")[0])) or 0) < NODE_MIN:
        message = f"the SDKs need Node {NODE_MIN} or newer; found {said or 'none that runs'}"
        raise Missing(message)

    def fetch(folder: Path) -> None:
        manifest = {"private": True, "dependencies": NPM}
        (folder / "package.json").write_text(json.dumps(manifest))
        _run(["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund"], folder)

    return _cached("npm", json.dumps(NPM), fetch)


def of_pypi() -> Path:
    """A folder for `PYTHONPATH`."""

    def fetch(folder: Path) -> None:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        _run([*pip, "--target", str(folder), *PYPI], folder)

    return _cached("pypi", f"{PYPI}{sys.version_info[:2]}", fetch)


def _cached(kind: str, versions: str, fetch) -> Path:
    given = os.environ.get("TOUCHPOINTS_SDK_CACHE")
    root = Path(given) if given else Path.home() / ".cache" / "touchpoints" / "sdks"
    folder = root / f"{kind}-{hashlib.sha256(versions.encode()).hexdigest()[:12]}"
    if folder.is_dir():
        return folder
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root) as made:
        half = Path(made) / "half"
        half.mkdir()
        fetch(half)
        try:
            half.rename(folder)  # Whole, or not at all; another run may have been first.
        except OSError:
            if not folder.is_dir():
                raise
    return folder


def _run(command: list[str], folder: Path) -> None:
    try:
        subprocess.run(
            command, cwd=folder, timeout=FETCH_MAX, check=True, capture_output=True, text=True
        )
    except subprocess.TimeoutExpired as error:
        message = f"{command[0]} did not fetch the SDKs within {FETCH_MAX} s"
        raise Missing(message) from error
    except subprocess.CalledProcessError as error:
        said = (error.stderr.strip() or "nothing").splitlines()[-1]
        message = f"{command[0]} could not fetch the SDKs: {said}"
        raise Missing(message) from error
