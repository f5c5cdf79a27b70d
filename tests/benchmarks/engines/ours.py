"""The place of the project's own Kafka runtime, with a stage that cuts sessions and nothing else.

It is not among the engines while `work` has nothing to call.
"""

from tests.benchmarks.engines.jobs import Engine, Job, Progress, job_of


def work(job: Job, progress: Progress) -> None:
    """Run the worker until it is stopped.

    It reads `job.input`, keeps state under names that begin with `job.application`, publishes each
    closed session to `job.output` and calls `progress.saw` with the number of touchpoints of each
    batch whose keys do not begin with `TICK`.
    """
    message = "the Kafka runtime is not part of this project yet"
    raise NotImplementedError(message)


ENGINES: tuple[Engine, ...] = ()

if __name__ == "__main__":
    found_job = job_of()
    work(found_job, Progress(found_job.count))
