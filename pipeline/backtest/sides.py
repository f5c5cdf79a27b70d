"""One log through two engines side by side, each with its own catalogue."""

from collections.abc import Iterable

from pipeline.runtimes.engine import Engine
from schemas.records import Alert, JourneyOutcome, Session, Touchpoint, Verdict


class Said:
    """The last revision of everything that one side said.

    Attributes:
        sessions, journeys, alerts: By id. What turned out to be part of something else, or not to
            have ended, is not there; a retracted alert is.
        verdicts: By `ref`.
    """

    def __init__(self) -> None:
        self.sessions: dict[str, Session] = {}
        self.journeys: dict[str, JourneyOutcome] = {}
        self.verdicts: dict[str, Verdict] = {}
        self.alerts: dict[str, Alert] = {}

    def take(self, engine: Engine) -> None:
        """Take over what an engine has sent, and empty its outbox."""
        for message in engine.outbox:
            record = message.record
            if isinstance(record, Verdict):
                self.verdicts[record.ref] = record
            elif isinstance(record, JourneyOutcome):
                self.journeys[record.journey_id] = record
            elif isinstance(record, Session):
                self.sessions[record.session_id] = record
            elif isinstance(record, Alert):
                self.alerts[record.id] = record
        engine.outbox.clear()

    def settle(self) -> None:
        """Leave out what was taken back."""
        self.sessions = {k: one for k, one in self.sessions.items() if one.state != "absorbed"}
        self.journeys = {
            key: one
            for key, one in self.journeys.items()
            if one.outcome not in ("open", "absorbed")
        }


def both(touchpoints: Iterable[Touchpoint], before: Engine, after: Engine) -> tuple[Said, Said]:
    """What two engines say of the same touchpoints, once everything has closed.

    Args:
        touchpoints: In order of arrival; read once, so that they may come from a pipe.
        before: Fresh, with the one catalogue.
        after: Fresh, with the other.
    """
    sides = ((before, Said()), (after, Said()))
    for touchpoint in touchpoints:
        for engine, said in sides:
            engine.process(touchpoint)
            if engine.outbox:
                said.take(engine)
    for engine, said in sides:
        engine.close()
        said.take(engine)
        said.settle()
    return sides[0][1], sides[1][1]
