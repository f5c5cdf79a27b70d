"""What can go wrong with a runtime and is for a person to mend.

PipelineError
└── RuntimeFault
    ├── AlreadyRunning       another process holds the folder
    ├── StorageUnreadable    the file is not ours, of another version, damaged, or not there
    ├── StorageFailed        the disk can no longer be believed; the engine has stopped
    ├── BrokersUnreachable   nothing answers where Kafka should be
    ├── BrokersRefused       the brokers answer, and do not take us, or what we ask, as it is
    ├── TopicsUnfit          topics are missing, or made in a way that would give wrong results
    ├── StateUnusable        a changelog was written by another version
    ├── ProcessingHalted     nearly every record fails: the fault is the program's
    ├── TakenOver            another worker owns the partition by now
    └── WorkerFailed         a worker on Kafka cannot go on, or its topics do not fit
"""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from pipeline.errors import PipelineError


class RuntimeFault(PipelineError):
    """A runtime cannot start or cannot go on. The message says what a person is to do."""


class AlreadyRunning(RuntimeFault):
    """Another process holds the folder; two at once would write over each other.

    Attributes:
        directory: The folder.
        pid: The other process; None where its lock file does not say.
    """

    def __init__(self, *, directory: Path, pid: int | None) -> None:
        self.directory = directory
        self.pid = pid
        who = f"process {pid}" if pid is not None else "another process"
        super().__init__(
            f"{directory} is in use by {who}. Stop that process, or give this one a folder of its "
            "own with --data. Reading with `touchpoints tail` works beside it."
        )


class StorageUnreadable(RuntimeFault):
    """The file cannot be used as it is; nothing in it was changed.

    Attributes:
        path: The file.
        expected: What it should be, in words.
        found: What it is, in words.
        remedy: What to do about it.
    """

    def __init__(self, *, path: Path, expected: str, found: str, remedy: str) -> None:
        self.path = path
        self.expected = expected
        self.found = found
        self.remedy = remedy
        super().__init__(
            f"{path}: expected {expected}; found {found}. Nothing was changed. {remedy}"
        )


class StorageFailed(RuntimeFault):
    """The disk failed in a way after which nothing written can be believed.

    Attributes:
        path: The file.
        found: What the disk answered.
    """

    def __init__(self, *, path: Path, found: str) -> None:
        self.path = path
        self.found = found
        super().__init__(
            f"{path}: {found}. Nothing more is accepted, and all that was acknowledged before is "
            "kept. Check the disk, then start again."
        )


class StateUnusable(RuntimeFault):
    """A changelog cannot be used as it is; nothing was written.

    Attributes:
        where: The changelog and its partition.
        expected: What should stand there.
        found: What does.
    """

    def __init__(self, *, where: str, expected: str, found: str) -> None:
        self.where = where
        self.expected = expected
        self.found = found
        super().__init__(
            f"{where}: expected {expected}; found {found}. Nothing was changed. Start the version "
            "that wrote it, or give another `application` in [kafka] and begin anew: everything on "
            "`touchpoints` is read again."
        )


class ProcessingHalted(RuntimeFault):
    """Nearly every record fails, so the fault is the program's or the catalogue's.

    Attributes:
        failures: Records that failed, less those that did not since; they are in `dead-letters`.
        stage: The stage that failed.
    """

    def __init__(self, *, failures: int, stage: str) -> None:
        self.failures = failures
        self.stage = stage
        super().__init__(
            f"stage {stage} failed on {failures} records more than it could take in, so the "
            "fault is not theirs. They are in dead-letters; what follows waits in the log until "
            "the worker is started with the fault mended."
        )


class TakenOver(RuntimeFault):
    """Another worker owns the partition by now, and this one may write no more.

    Attributes:
        where: The changelog and its partition.
    """

    def __init__(self, *, where: str) -> None:
        self.where = where
        super().__init__(
            f"{where}: another worker owns this partition by now, since this one did not answer in "
            "time. Nothing was written twice. Start the worker again."
        )


class WorkerFailed(RuntimeFault):
    """A worker cannot start or go on. The message says what a person is to do."""


class BrokersUnreachable(RuntimeFault):
    """Nothing answers where Kafka should be.

    Attributes:
        servers: Where it was looked for.
        found: What there was instead, in words.
    """

    def __init__(self, *, servers: str, within: timedelta, found: str) -> None:
        self.servers = servers
        self.found = found
        super().__init__(
            f"{servers}: expected Kafka's brokers to answer within {within.total_seconds():g} s; "
            f"found: {found}. Check that they run, and the address: --bootstrap-servers, or "
            "bootstrap_servers of [kafka]."
        )


class BrokersRefused(RuntimeFault):
    """The brokers answer, and do not take us, or what we ask, as it is.

    Attributes:
        servers: The brokers.
        expected: What they should have done, in words.
        found: What they did, in words.
        remedy: What to do about it.
    """

    def __init__(self, *, servers: str, expected: str, found: str, remedy: str) -> None:
        self.servers = servers
        self.expected = expected
        self.found = found
        self.remedy = remedy
        super().__init__(f"{servers}: expected {expected}; found: {found}. {remedy}")


class TopicsUnfit(RuntimeFault):
    """Topics are missing, or made in a way in which a worker would give wrong results.

    Attributes:
        servers: The brokers that were asked.
        problems: One sentence each: topic, what was expected, what was found. Never empty.
    """

    def __init__(self, *, servers: str, problems: Sequence[str]) -> None:
        self.servers = servers
        self.problems = tuple(problems)
        super().__init__("\n".join((*(f"{servers}: {one}" for one in self.problems), _TOPICS)))


_TOPICS = (
    "`touchpoints topics create` makes what is missing, and `touchpoints topics check` tells all "
    "that differs. A topic that was made otherwise is left alone: mend it, or delete it while it "
    "is empty, with Kafka's own tools."
)
