"""Journeys: one customer's story in order, across channels.

Shown to operators only. The search is a form that is posted, so that what was typed stands in no
address, history or log.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from pipeline.console.asking import Asked
from pipeline.console.lookups import STORY_MAX, Owner, Story
from pipeline.console.pieces import (
    Cell,
    Column,
    Page,
    Section,
    Table,
    badge,
    below,
    link,
    named,
    nothing,
    section,
    table_of,
    time_of,
)
from pipeline.reporting.markup import Markup, element, joined
from pipeline.reporting.wording import CHANNELS, Words, counted, duration, ending, reason
from schemas.records import JourneyOutcome, Session, Verdict

PLACE: Final = "journeys"

SIGNS: Final = ("user_id", "email", "phone", "anonymous_id", "device_id")
"""Kinds of identifier that are offered; any other can be typed."""


class Visit(NamedTuple):
    """A session with what happened in it; None where the session itself is not kept."""

    id: str
    session: Session | None
    verdicts: list[Verdict]

    @property
    def began(self) -> datetime:
        """When its first interaction happened."""
        return self.verdicts[0].occurred_at


def gather(asked: Asked, customer: str) -> Story:
    """Ask the store about one customer."""
    return asked.lookups.story(asked.lookups.survivor_of(customer))


def search_page(csrf: str, problem: str = "") -> Page:
    """The form, with what was wrong with what was typed."""
    return Page("Find a journey", PLACE, (_form(csrf, problem),), live=False)


def owners_page(csrf: str, owners: Sequence[Owner]) -> Page:
    """All to whom what was typed belonged, one after the other; the latest first."""
    lines = [
        element(
            "li",
            link(f"Customer {one.customer[:8]}", below("/journeys", one.customer)),
            element(
                "span",
                "since " if until is None else "from ",
                time_of(one.since),
                joined(" to ", time_of(until)) if until is not None else " until now",
                class_="soft",
            ),
        )
        for one, until in zip(owners, (*(each.since for each in owners[1:]), None), strict=True)
    ]
    about = (
        "It belonged to one customer after the other, as a device does that people share or pass "
        "on. Whose it was at a time, has that time in their story."
    )
    shown = section(
        "owners", "Whose it was", about, element("ul", *reversed(lines), class_="plain")
    )
    return Page("Whose it was", PLACE, (shown, _form(csrf)), live=False)


def _form(csrf: str, problem: str = "") -> Section:
    form = element(
        "form",
        element(
            "label",
            element("span", "Identifier"),
            element(
                "input",
                type="text",
                name="identifier",
                id="identifier",
                required="",
                maxlength="512",
                autocomplete="off",
                spellcheck="false",
                placeholder="email:ann@example.com",
                aria_describedby="identifier-help" + (" problem" if problem else ""),
                aria_invalid="true" if problem else None,
            ),
        ),
        element("input", type="hidden", name="csrf", value=csrf),
        element("button", "Find", type="submit"),
        method="post",
        action="/journeys",
        class_="filters wide",
    )
    help_ = element(
        "p",
        "As type:value. The type is ",
        *_listed([element("code", one) for one in SIGNS]),
        " or your own; the id of a customer, journey, session or touchpoint will do, too, or a "
        "touchpoint's source/id. Personal values are hashed as they are typed: they are looked "
        "for, never kept. That somebody "
        "looked is written down.",
        id="identifier-help",
        class_="soft small measured",
    )
    wrong = element("p", problem, class_="problem", id="problem", role="alert") if problem else ""
    return section("find", "Find a customer's story", "", form, wrong, help_)


def _listed(items: Sequence[Markup]) -> list[str]:
    shown: list[str] = []
    for at, one in enumerate(items):
        shown += [", ", one] if at else [one]
    return shown


def show(asked: Asked, story: Story) -> Page | None:
    """The page; None where nothing is known of the customer, or nothing any more."""
    if story.empty:
        return None
    words = asked.words
    table = story_table(story, words)
    begun, ended = _span(story)
    channels = list(dict.fromkeys(CHANNELS[one.channel] for one in story.verdicts))
    about = (
        f"{counted(len(story.verdicts), 'interaction')} by {', '.join(channels) or 'no channel'}, "
        f"{counted(len(story.journeys), 'journey')} that ended."
    )
    head = joined(
        element("h2", "One customer's story", class_="headline"),
        element("p", about, " From ", time_of(begun), " to ", time_of(ended), "."),
        element("p", "Customer ", element("code", story.customer), class_="soft small"),
        element("p", f"The latest {STORY_MAX:,} interactions; there are more.")
        if story.cut
        else "",
    )
    journeys = [_journey(one, words) for one in reversed(story.journeys)]
    sections = (
        Section("headline", head),
        section(
            "journeys",
            "What they wanted",
            "Journeys that ended, the latest first.",
            *journeys if journeys else [nothing("None has ended yet.")],
        ),
        section(
            "story",
            "What happened, in order",
            "",
            _timeline(visits_of(story), words),
            table_of(table, asked.here),
        ),
    )
    return Page("One customer's story", PLACE, sections, (table,), live=False)


def _span(story: Story) -> tuple[datetime, datetime]:
    times = [one.occurred_at for one in story.verdicts]
    times += [at for one in story.journeys for at in (one.started_at, one.ended_at)]
    times += [at for one in story.sessions for at in (one.started_at, one.ended_at)]
    return min(times), max(times)


def visits_of(story: Story) -> list[Visit]:
    """Interactions by session, in the order in which the sessions began."""
    sessions = {one.session_id: one for one in story.sessions}
    visits: dict[str, Visit] = {}
    for one in story.verdicts:
        known = visits.get(one.session_id)
        if known is None:
            known = visits[one.session_id] = Visit(one.session_id, sessions.get(one.session_id), [])
        known.verdicts.append(one)
    return sorted(visits.values(), key=lambda one: (one.began, one.id))


def _journey(one: JourneyOutcome, words: Words) -> Markup:
    facts = [f"effort {one.effort:.1f}, where 7 is very easy"]
    if one.effort_asked is not None:
        facts.append(f"said {one.effort_asked:g}")
    took = (one.ended_at - one.started_at).total_seconds()
    facts += [duration(took), counted(one.count, "interaction")]
    if one.value is not None and one.currency:
        facts.append(f"worth {one.value:,.2f} {one.currency}")
    if one.segment:
        facts.append(f"segment {one.segment}")
    if one.revision > 1:
        facts.append(f"corrected {counted(one.revision - 1, 'time')}")
    why = "" if one.outcome == "completed" else ending(one.reason)
    cost = (
        element(
            "p",
            "Lost at ",
            link(words.touchpoint(one.broke_at), below("/touchpoints", one.broke_at)),
        )
        if one.broke_at
        else ""
    )
    return element(
        "article",
        element(
            "p",
            badge(one.outcome),
            element("span", why),
            element("span", time_of(one.started_at), " to ", time_of(one.ended_at, "clock")),
            class_="meta",
        ),
        element("h3", link(f"“{words.mission(one.mission)}”", below("/missions", one.mission))),
        element("p", named(", ".join(facts)), class_="soft small"),
        cost,
        element(
            "ol",
            *(element("li", named(words.touchpoint(step))) for step in one.microjourney),
            class_="path",
        ),
        class_=f"card journey {one.outcome}",
        id=f"j-{one.journey_id}",
    )


def _timeline(visits: Sequence[Visit], words: Words) -> Markup:
    if not visits:
        return nothing("The interactions are not kept any more.")
    return element("ol", *(_visit(one, words) for one in visits), class_="visits")


def _visit(one: Visit, words: Words) -> Markup:
    first = one.verdicts[0]
    state = []
    if one.session is not None:
        state.append("still open" if one.session.state == "open" else "")
        state.append("a machine" if one.session.machine else "")
        if one.session.revision > 1:
            state.append(f"revision {one.session.revision}")
    return element(
        "li",
        element(
            "h3",
            CHANNELS[first.channel].capitalize(),
            element("span", time_of(first.occurred_at), class_="soft small"),
            element("span", ", ".join(word for word in state if word), class_="soft small"),
        ),
        element("ol", *(_interaction(verdict, words) for verdict in one.verdicts)),
        class_=f"visit {first.channel}",
    )


def _interaction(one: Verdict, words: Words) -> Markup:
    why = [
        element(
            "li",
            named(reason(fired.rule)),
            joined(": ", named(str(fired.value))) if fired.value not in (None, 1, True) else "",
        )
        for fired in one.reasons
    ]
    place = []
    if one.mission:
        place.append(f"“{words.mission(one.mission)}”")
    if one.phase:
        place.append(one.phase)
    if one.moment_of_truth:
        place.append("moment of truth")
    return element(
        "li",
        time_of(one.occurred_at, "second"),
        element(
            "div",
            element(
                "p",
                link(
                    named(words.touchpoint(one.touchpoint)), below("/touchpoints", one.touchpoint)
                ),
                " ",
                badge(one.verdict) if one.verdict else element("span", "not judged", class_="soft"),
            ),
            element("p", named(", ".join(place)), class_="soft small") if place else "",
            element("ul", *why, class_="reasons") if why else "",
        ),
        id=f"v-{one.ref}",
        class_=one.verdict or "unjudged",
    )


def story_table(story: Story, words: Words) -> Table:
    """The interactions as rows."""
    return Table(
        "story",
        "interactions in order",
        (
            Column("occurred_at", "When"),
            Column("channel", "Channel"),
            Column("touchpoint", "Touchpoint"),
            Column("mission", "Mission"),
            Column("phase", "Phase"),
            Column("verdict", "Verdict"),
            Column("reasons", "Why"),
            Column("revision", "Revision", number=True),
        ),
        [
            (
                Cell(one.occurred_at, time_of(one.occurred_at, "second")),
                Cell(one.channel, CHANNELS[one.channel]),
                Cell(one.touchpoint, named(words.touchpoint(one.touchpoint))),
                Cell(one.mission, words.mission(one.mission) if one.mission else "-"),
                Cell(one.phase),
                Cell(one.verdict, badge(one.verdict) if one.verdict else "-"),
                Cell(", ".join(why.rule for why in one.reasons) or None),
                Cell(one.revision),
            )
            for one in story.verdicts
        ],
        shown_max=0,
    )
