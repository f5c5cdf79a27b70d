"""Whose an identifier was, as erasure asks: ways from owner to owner may part, meet and be long."""

from datetime import timedelta

import pytest

from pipeline.stitching.claims import Claim, IdentifierState
from pipeline.stitching.erasing import Ambiguous, Circle, circle_of
from tests.builders import MIDNIGHT, NO_MISSIONS

HOUR = timedelta(hours=1)


def owned_by(*owners: str) -> IdentifierState:
    claims = [Claim(MIDNIGHT + n * HOUR, owner) for n, owner in enumerate(owners)]
    return IdentifierState(claims=claims, mixed=len(owners) > 1)


def circle(identifier: str, states: dict[str, IdentifierState]) -> Circle:
    def owned(names):  # type: ignore[no-untyped-def]
        wanted = set(names)
        return [
            (name, state)
            for name, state in states.items()
            if any(one.anchor in wanted for one in state.claims)
        ]

    return circle_of(identifier, states.get, owned, NO_MISSIONS.identity)


def test_a_device_that_met_two_emails_of_one_customer_is_theirs() -> None:
    states = {
        "anonymous_id:a": owned_by("email:e-1", "email:e-2"),
        "email:e-1": owned_by("user_id:ann"),
        "email:e-2": owned_by("user_id:ann"),
    }

    found = circle("anonymous_id:a", states)

    assert found.names == {*states, "user_id:ann"}
    assert not found.shared


def test_a_device_that_met_emails_of_two_customers_is_ambiguous() -> None:
    states = {
        "anonymous_id:a": owned_by("email:e-1", "email:e-2"),
        "email:e-1": owned_by("user_id:ann"),
        "email:e-2": owned_by("user_id:bob"),
    }

    with pytest.raises(Ambiguous) as refused:
        circle("anonymous_id:a", states)

    assert refused.value.customers == ("user_id:ann", "user_id:bob")


def test_a_chain_of_names_of_any_length_is_one_customers() -> None:
    states = {f"anonymous_id:a-{n}": owned_by(f"anonymous_id:a-{n - 1}") for n in range(1, 1_200)}

    found = circle("anonymous_id:a-1199", states)

    assert found.names == {*states, "anonymous_id:a-0"}
