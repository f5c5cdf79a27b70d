"""The operations port of `touchpoints up`: the page, health, and metrics that stay bounded."""

import pytest

from tests.integration.serving import Up, eventually, fetch
from tests.integration.test_up import home


@pytest.fixture
def up(tmp_path):
    with Up(tmp_path / "data") as started:
        yield started


def page(up):
    """The console's, of the pipeline."""
    return fetch(up.operations + "/pipeline").body.decode()


def accepted(up):
    """By the ledger, of all sources."""
    lines = fetch(up.operations + "/metrics").body.decode().splitlines()
    accounts = [one for one in lines if one.startswith("touchpoints_accounted{")]
    return sum(float(one.split()[-1]) for one in accounts if 'entry="accepted"' in one)


def test_the_operations_port_answers(up):
    up.post([home(1)])

    eventually(lambda: "The pipeline is running." in page(up))
    first, metrics = fetch(up.operations + "/"), fetch(up.operations + "/metrics")
    health = fetch(up.operations + "/healthz")

    assert (first.status, health.status, metrics.status) == (200, 200, 200)
    assert "It balances." in page(up)
    assert health.json == {"ready": True, "reason": ""}
    assert 'touchpoints_received_total{channel="web"} 1.0' in metrics.body.decode()
    assert "default-src 'none'" in first.headers["Content-Security-Policy"]


def test_whatever_emitters_make_up_adds_no_series(up):
    def lure(first, last):
        for number in range(first, last):
            bait = f"bait-{number}"
            some = [home(f"{number}-{n}", name=f"{bait}-{n}", intent=bait) for n in range(20)]
            assert up.post(some, key=bait).status == 200
        eventually(lambda: accepted(up) == 20 * last)
        return len(fetch(up.operations + "/metrics").body.decode().splitlines())

    before = lure(0, 120)

    assert lure(120, 300) == before
    assert "It balances." in page(up)
