"""Whose an interaction is, by what a customer was told: paths, versions, what is passed on."""

from datetime import timedelta

from pipeline.stitching import handovers, identity
from pipeline.stitching.change import Message
from pipeline.stitching.claims import Claim, IdentifierState
from pipeline.stitching.ids import customer_of
from pipeline.stitching.kept import CustomerState
from pipeline.stitching.placement import Forwarding, Told
from schemas.controls import Handover, Recall, Reroute
from tests.builders import MIDNIGHT, NO_MISSIONS, process, touchpoint

TEN = MIDNIGHT + timedelta(hours=10)
DAY = timedelta(days=1)
ANN, BOB, DEVICE = customer_of("user_id:ann"), customer_of("user_id:bob"), "anonymous_id:a"


def told_of_device(version: int, owner: str) -> Told:
    return Told(version, ((TEN, owner),))


def test_what_came_by_an_older_version_is_sent_on() -> None:
    ann = Forwarding()
    ann.learn(DEVICE, told_of_device(2, BOB), TEN + DAY)

    assert ann.place(ANN, TEN, ((DEVICE, 1),)) == (BOB, ((DEVICE, 2),))


def test_what_came_by_a_newer_one_stays() -> None:
    ann = Forwarding()
    ann.learn(DEVICE, told_of_device(2, BOB), TEN + DAY)

    assert ann.place(ANN, TEN, ((DEVICE, 3),)) == (ANN, ((DEVICE, 3),))


def test_what_a_newer_version_leaves_where_it_is_keeps_the_rest_of_its_way() -> None:
    ann = Forwarding()
    ann.learn(DEVICE, told_of_device(2, customer_of("email:e")), TEN + DAY)
    path = ((DEVICE, 1), ("email:e", 4))

    assert ann.place(ANN, TEN, path) == (ANN, ((DEVICE, 2), ("email:e", 4)))


def test_what_a_newer_version_sends_here_straight_goes_on_from_here() -> None:
    email = customer_of("email:e")
    forwarding = Forwarding("email:e", 2, ((TEN, ANN),))
    forwarding.learn(DEVICE, told_of_device(3, email), TEN + DAY)
    long_way = ((DEVICE, 1), ("device_id:d", 1))

    assert forwarding.place(email, TEN, long_way) == (ANN, ((DEVICE, 3), ("email:e", 2)))


def test_what_is_older_than_a_forgotten_claim_stays() -> None:
    ann = Forwarding()
    ann.learn(DEVICE, Told(2, ((TEN, BOB),), since=TEN), TEN + DAY)

    assert ann.place(ANN, TEN - DAY, ((DEVICE, 1),)) == (ANN, ((DEVICE, 1),))


def test_an_older_word_does_not_undo_a_newer_one() -> None:
    forwarding = Forwarding()
    forwarding.learn(DEVICE, told_of_device(3, ANN), TEN + DAY)

    assert not forwarding.learn(DEVICE, told_of_device(2, BOB), TEN + DAY)
    assert forwarding.told[DEVICE].version == 3


def test_what_can_matter_no_more_is_forgotten() -> None:
    forwarding = Forwarding()
    forwarding.learn(DEVICE, told_of_device(2, BOB), TEN + DAY)

    forwarding.forget(TEN + DAY - timedelta(seconds=1))
    assert not forwarding.empty
    forwarding.forget(TEN + DAY)
    assert forwarding.empty


def rerouted(version: int, owner: str, *, keep: bool) -> Reroute:
    return Reroute(
        identifier=DEVICE,
        version=version,
        owners=((TEN, owner),),
        keep=keep,
        at=TEN,
        touchpoint="t",
    )


def test_a_reroute_read_again_after_a_newer_one_changes_nothing() -> None:
    state = CustomerState(customer_of(DEVICE))
    handovers.receive(state, rerouted(2, BOB, keep=True), NO_MISSIONS)

    handovers.receive(state, rerouted(1, ANN, keep=True), NO_MISSIONS)

    assert state.forwarding is not None
    assert state.forwarding.owners == ((TEN, BOB),)


def test_what_comes_back_to_a_customer_that_forwards_no_more_is_still_sent_on() -> None:
    state = CustomerState(customer_of(DEVICE))
    handovers.receive(state, rerouted(2, BOB, keep=False), NO_MISSIONS)

    assert state.forwarding is not None
    assert state.forwarding.place(state.customer, TEN, ((DEVICE, 1),)) == (BOB, ((DEVICE, 2),))


def test_an_identifier_that_may_stand_for_itself_again_tells_its_own_customer() -> None:
    rules = NO_MISSIONS.identity
    state = IdentifierState(seen=TEN)
    for number in range(4):  # four people: from the fourth on it is shared
        made = Claim(TEN + timedelta(hours=number), f"user_id:u-{number}")
        identity.claim(state, DEVICE, made, ("shop", "t"), rules)

    late = Claim(TEN + timedelta(hours=5), "user_id:u-5")
    results = identity.claim(state, DEVICE, late, ("shop", "t"), rules)

    own = [one.record for one in results if one.key == customer_of(DEVICE)]
    assert [type(one) for one in own] == [Reroute]


def test_a_device_that_returns_to_its_first_owner_sends_straight_to_them() -> None:
    told = process(
        [
            touchpoint("10:00", id="1", anonymous_id="a", user_id="ann"),
            touchpoint("10:10", id="2", anonymous_id="a", user_id="bob"),
            touchpoint("10:20", id="3", anonymous_id="a", user_id="ann"),
            touchpoint("10:30", id="5", anonymous_id="a"),
        ],
        NO_MISSIONS,
    )

    sent = [one for one in told.sent if holds(one, "5")]
    assert [(type(one.record).__name__, one.key) for one in sent] == [("Touchpoint", ANN)]


def holds(message: Message, name: str) -> bool:
    record = message.record
    if isinstance(record, Handover):
        return any(one.id == name for one in record.interactions)
    return message.topic == "customer-touchpoints" and getattr(record, "id", "") == name


def test_a_recall_is_told_to_those_to_whom_things_were_passed() -> None:
    state = CustomerState(customer_of("email:e"))
    state.forwarding = Forwarding(passed=[ANN], until=TEN + DAY)
    recall = Recall(identifier=DEVICE, version=2, owners=((TEN, BOB),), since=None, at=TEN)

    first = handovers.receive(state, recall, NO_MISSIONS)
    again = handovers.receive(first.state, recall, NO_MISSIONS)

    assert [(one.key, one.record) for one in first.results] == [(ANN, recall)]
    assert again.results == []
