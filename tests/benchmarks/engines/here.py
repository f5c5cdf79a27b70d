"""How to run an engine's module, in this environment or in one of its own."""

import os
import subprocess
import sys
from pathlib import Path

from tests.benchmarks.engines.jobs import Job


def python(module: str, job: Job, interpreter: Path | str = sys.executable) -> list[str]:
    return [str(interpreter), "-m", module, *job.arguments()]


def cache(name: str) -> Path:
    """A folder of this benchmark, outside the repository, that is kept between runs."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "touchpoints-benchmarks" / name


def environment(name: str, *requirements: str) -> Path:
    """The interpreter of a virtual environment with these requirements, made if need be."""
    folder = cache(name)
    interpreter = folder / "bin" / "python"
    stamp = folder / "requirements"
    wanted = "\n".join(requirements)
    if not stamp.exists() or stamp.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([interpreter, "-m", "pip", "install", "--quiet", *requirements], check=True)
        stamp.write_text(wanted)
    return interpreter
