"""Kafka Streams, on the JVM; `kafka_streams/` has its source. Needs a JDK (17 or newer) and Maven.

What the compiler of the JVM costs while the code is still new is part of the figure; the second
half of a run shows what remains once it is warm. Session windows in memory look, for every
touchpoint, through all sessions of the partition that ended within the gap: the more customers, the
slower.
"""

import subprocess
from pathlib import Path
from typing import Final

from tests.benchmarks.engines.here import cache
from tests.benchmarks.engines.jobs import Engine, Job

SOURCE: Final = Path(__file__).parent / "kafka_streams"
RELEASE: Final = "4.1.1"


def built() -> Path:
    """Where the classes and the libraries are; built anew when the source is newer."""
    out = cache("kafka-streams")
    stamp = out / "built"
    newest = max(one.stat().st_mtime for one in SOURCE.rglob("*") if one.is_file())
    if not stamp.exists() or stamp.stat().st_mtime < newest:
        # The plugin's version is given, as Maven else takes whatever is newest.
        plugin = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
        libraries = f"-DoutputDirectory={out / 'libraries'}"
        maven = [
            "mvn",
            "-q",
            "-B",
            "-Dstyle.color=never",
            "-f",
            SOURCE / "pom.xml",
            f"-Dout={out}",
            "compile",
            plugin,
        ]
        subprocess.run([*maven, libraries, "-DincludeScope=runtime"], check=True)
        stamp.touch()
    return out


def command(job: Job) -> list[str]:
    out = built()
    path = f"{out / 'classes'}:{out / 'libraries'}/*"
    return ["java", "-Xmx2g", "-cp", path, "touchpoints.Sessions", *job.arguments()]


def versions() -> str:
    built()
    told = subprocess.run(["java", "-version"], check=True, capture_output=True, text=True)
    return f"kafka-streams {RELEASE} on {told.stderr.splitlines()[0]}"


ENGINES = tuple(
    Engine(
        name="kafka-streams",
        variant=variant,
        about=f"Kafka Streams: {about}",
        versions=versions,
        command=command,
    )
    for variant, about in (
        ("processor", "processor of one's own, in memory"),
        ("processor exactly-once", "processor of one's own, in memory, exactly once"),
        ("rocksdb", "session windows, RocksDB"),
        ("rocksdb exactly-once", "session windows, RocksDB, exactly once"),
        ("memory", "session windows, in memory"),
    )
)
