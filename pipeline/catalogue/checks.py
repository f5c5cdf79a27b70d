"""What the catalogue's files say about one another: references and contradictions.

The shape of each file is `tables`' work. The checks read what stands in the files as far as it
has the right shape, so that one mistake does not hide another. `problems` make a catalogue
unusable; what is only odd is told by `oddities`.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import NamedTuple

from pipeline.catalogue import bands, examples, norms
from pipeline.catalogue.documents import Document, Text
from pipeline.catalogue.durations import duration_of, written
from pipeline.catalogue.suggestions import closest
from pipeline.errors import Problem
from pipeline.stitching.rules import SESSION_RULES, AlertRules


class Written(NamedTuple):
    """The files of a catalogue that could be read; `inventory` is None where it could not."""

    inventory: Document | None
    missions: Sequence[Document]
    rules: Document | None
    norms: Document | None = None


def problems(files: Written) -> list[Problem]:
    """Every contradiction within and between the files."""
    channels = None if files.inventory is None else _channels(files.inventory)
    found: list[Problem] = []
    if files.inventory is not None:
        found += _repeated(files.inventory.texts("touchpoint", "*", "id"), "touchpoint")
        found += _same_signs(files.inventory)
        found += _needs(files.inventory, channels or {})
    names = [text for document in files.missions for text in document.texts("name")]
    found += _repeated(names, "mission")
    found += _claimed_twice(files.missions)
    gap = _longest_gap(files.rules)
    if files.rules is not None:
        found += _sources_twice(files.rules)
        found += _unwatchable(files.rules)
    found += bands.problems(files.rules, files.missions)
    for document in files.missions:
        found += _references(document, channels)
        found += _contradictions(document)
        found += _impatience(document, gap)
        found += examples.problems(document, channels)
    if files.norms is not None:
        found += norms.problems(files.norms, _steps_by_mission(files.missions))
    return found


def _channels(inventory: Document) -> dict[str, str]:
    channels: dict[str, str] = {}
    for text in inventory.texts("touchpoint", "*", "id"):
        table = inventory.content["touchpoint"][text.place[1]]
        channels.setdefault(text.text, str(table.get("channel")))
    return channels


def _repeated(texts: Sequence[Text] | Iterator[Text], what: str) -> Iterator[Problem]:
    first: dict[str, Text] = {}
    for text in texts:
        known = first.setdefault(text.text, text)
        if known is not text:
            yield text.problem(f'{what} "{text.text}" stands already in {_place(known)}')


def _same_signs(inventory: Document) -> Iterator[Problem]:
    """Two entries of a channel that are recognised by the same table: the second never is."""
    first: dict[tuple[str, str], tuple[int | str, str]] = {}
    for place, sign in inventory.tables("touchpoint", "*", "recognise", "*"):
        entry = inventory.content["touchpoint"][place[1]]
        seen = (str(entry.get("channel")), repr(sorted(sign.items())))
        at, touchpoint = first.setdefault(seen, (place[1], str(entry.get("id"))))
        if at != place[1]:
            message = f'recognised by the same table as "{touchpoint}", so it never will be'
            line = inventory.line_of(*place)
            yield Problem(file=inventory.file, line=line, message=message)


def _needs(inventory: Document, channels: dict[str, str]) -> Iterator[Problem]:
    """What a touchpoint needs: another one of the inventory."""
    for text in inventory.texts("touchpoint", "*", "needs", "*"):
        own = inventory.content["touchpoint"][text.place[1]].get("id")
        if text.text not in channels:
            message = f'needs "{text.text}", which is not in the inventory'
            yield text.problem(message, closest(text.text, channels))
        elif text.text == own:
            yield text.problem(f'needs itself, "{own}"')
    yield from _circles(inventory, channels)


def _circles(inventory: Document, channels: dict[str, str]) -> Iterator[Problem]:
    """What needs itself by way of others, told once, where the circle closes."""
    needs: dict[str, list[str]] = {}
    for text in inventory.texts("touchpoint", "*", "needs", "*"):
        own = str(inventory.content["touchpoint"][text.place[1]].get("id"))
        if text.text not in channels or text.text == own:
            continue
        way = _way(needs, text.text, own)
        if way:
            told = ", which needs ".join(f'"{name}"' for name in way)
            message = f"needs {told}: each would be the cause of the other's failing"
            yield text.problem(f"{message}; take out the need of one that works without it")
        else:
            needs.setdefault(own, []).append(text.text)


def _way(needs: dict[str, list[str]], start: str, end: str) -> list[str]:
    """From one touchpoint to another by what they need; empty where there is no way."""
    ways, seen = [[start]], {start}
    for way in ways:
        if way[-1] == end:
            return way
        for needed in needs.get(way[-1], ()):
            if needed not in seen:
                seen.add(needed)
                ways.append([*way, needed])
    return []


def _claimed_twice(missions: Sequence[Document]) -> Iterator[Problem]:
    """An intent, or a mission's own name, that two missions claim."""
    claims: dict[str, tuple[Document, Text]] = {}
    for key in (("name",), ("intents", "*")):
        for document in missions:
            for text in document.texts(*key):
                claimant, first = claims.setdefault(text.text, (document, text))
                if claimant is not document and key != ("name",):
                    name = claimant.content.get("name")
                    message = f'intent "{text.text}" is claimed by mission "{name}" already'
                    yield text.problem(f"{message}, in {_place(first)}")


def _steps(document: Document) -> list[Text]:
    return list(document.texts("phase", "*", "steps", "*"))


def _steps_by_mission(missions: Sequence[Document]) -> dict[str, frozenset[str]]:
    return {
        name.text: frozenset(step.text for step in _steps(document))
        for document in missions
        for name in document.texts("name")
    }


def _references(document: Document, channels: dict[str, str] | None) -> Iterator[Problem]:
    """Touchpoints that the inventory does not have."""
    if channels is None:
        return
    named = [("step", text) for text in _steps(document)]
    for key in ("starts", "completes", "frustrates", "looks", "preludes"):
        named += [(key, text) for text in document.texts(key, "*")]
    for what, text in named:
        if text.text not in channels:
            message = f'{what} "{text.text}" is not in the inventory'
            yield text.problem(message, closest(text.text, channels))


def _contradictions(document: Document) -> Iterator[Problem]:
    """What a mission says twice, or both ways."""
    completes = {text.text: text for text in document.texts("completes", "*")}
    for text in document.texts("frustrates", "*"):
        if text.text in completes:
            first = _place(completes[text.text])
            yield text.problem(f'"{text.text}" both completes ({first}) and frustrates')
    starts = {text.text for text in document.texts("starts", "*")}
    for text in document.texts("looks", "*"):
        if text.text not in starts:
            yield text.problem(f'looks "{text.text}" is none of the mission\'s starts')
    yield from _repeated(_steps(document), "step")
    yield from _repeated(document.texts("phase", "*", "name"), "phase")


def _longest_gap(rules: Document | None) -> tuple[timedelta, str]:
    """The longest session gap of all channels and sources, and whose it is."""
    gaps = {channel: rule.gap for channel, rule in SESSION_RULES.items()}
    if rules is not None:
        for channel in SESSION_RULES:
            for text in rules.texts("sessions", channel, "gap"):
                gaps[channel] = _duration(text) or gaps[channel]
        for text in rules.texts("sessions", "source", "*", "gap"):
            table = rules.content["sessions"]["source"][text.place[2]]
            source = f"{table.get('source')} on {table.get('channel')}"
            gaps[source] = _duration(text) or timedelta()
    whose = max(gaps, key=lambda channel: gaps[channel])
    return gaps[whose], whose


def _sources_twice(rules: Document) -> Iterator[Problem]:
    """Two tables for one source on one channel: only one could hold."""
    first: dict[tuple[str, str], int] = {}
    for place, table in rules.tables("sessions", "source", "*"):
        source, channel = str(table.get("source")), str(table.get("channel"))
        line = rules.line_of(*place)
        known = first.setdefault((source, channel), line)
        if known != line:
            message = f'source "{source}" on {channel} stands already in line {known}'
            yield Problem(file=rules.file, line=line, message=message)


def _unwatchable(rules: Document) -> Iterator[Problem]:
    """Numbers of alerts that contradict each other, given or not."""
    table = rules.content.get("alerts")
    if not isinstance(table, dict):
        return
    plain = AlertRules()
    spans = {name: getattr(plain, name) for name in ("open", "kept")}
    for name in spans:
        for text in rules.texts("alerts", name):
            spans[name] = _duration(text) or spans[name]
    if spans["kept"] <= spans["open"]:
        message = (
            f"kept: expected longer than open, {written(spans['open'])}; "
            f"found {written(spans['kept'])}"
        )
        line = rules.line_of("alerts", "kept" if "kept" in table else "open")
        yield Problem(file=rules.file, line=line, message=message)
    least = table.get("usual_share_min", plain.usual_share_min)
    usual = table.get("usual_share", plain.usual_share)
    numbers = isinstance(least, int | float) and isinstance(usual, int | float)
    if numbers and least > usual:
        message = f"usual_share_min: expected at most usual_share, {usual:g}; found {least:g}"
        line = rules.line_of(
            "alerts", "usual_share_min" if "usual_share_min" in table else "usual_share"
        )
        yield Problem(file=rules.file, line=line, message=message)


def _impatience(document: Document, gap: tuple[timedelta, str]) -> Iterator[Problem]:
    """A patience that ends a journey while a session of it is open; a return within it."""
    longest, whose = gap
    for text in document.texts("patience"):
        patience = _duration(text)
        if patience is not None and patience < longest:
            message = f"expected at least the longest session gap, {written(longest)} ({whose})"
            yield text.problem(f'patience: {message}; found "{text.text}"')
        for later in document.texts("resumes"):
            resumes = _duration(later)
            if patience is not None and resumes is not None and resumes <= patience:
                message = f"expected longer than the patience, {written(patience)}"
                yield later.problem(f'resumes: {message}; found "{later.text}"')


def _duration(text: Text) -> timedelta | None:
    try:
        return duration_of(text.text)
    except ValueError:
        return None


def _place(text: Text) -> str:
    return f"{text.file}:{text.line}"
