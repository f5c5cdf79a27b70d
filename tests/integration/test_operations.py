"""The operations port of `touchpoints up`: the page, health, and metrics that stay bounded."""

import pytest

from tests.integration.serving import Up, eventually, fetch
from tests.integration.test_up import home


@pytest.fixture
def up(tmp_path):
    with Up(tmp_path / "data") as started:
        yield started


def test_the_operations_port_answers(up):
    up.post([home(1)])

    page, metrics = fetch(up.operations + "/"), fetch(up.operations + "/metrics")
    health = fetch(up.operations + "/healthz")

    assert (page.status, health.status, metrics.status) == (200, 200, 200)
    assert "The pipeline is running." in page.body.decode()
    assert "Ledger: 1 touchpoints accepted = " in page.body.decode()
    assert "It balances." in page.body.decode()
    assert health.json == {"ready": True, "reason": ""}
    assert 'touchpoints_received_total{channel="web"} 1.0' in metrics.body.decode()
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]


def test_whatever_emitters_make_up_adds_no_series(up):
    def lure(first, last):
        for number in range(first, last):
            bait = f"bait-{number}"
            some = [home(f"{number}-{n}", name=f"{bait}-{n}", intent=bait) for n in range(20)]
            assert up.post(some, key=bait).status == 200
        eventually(lambda: f"{20 * last:,} touchpoints accepted" in page())
        return len(fetch(up.operations + "/metrics").body.decode().splitlines())

    def page():
        return fetch(up.operations + "/").body.decode()

    before = lure(0, 120)

    assert lure(120, 300) == before
    assert "It balances." in page()
