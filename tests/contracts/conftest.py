"""The places that one suite of commands runs on."""

from pathlib import Path

import pytest

from tests.contracts.places import Place


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.integration)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Topics with nothing on them."""
    directory = tmp_path / "data"
    if request.param == "embedded":
        directory.mkdir()
        return Place(directory)
    from tests.brokers.topics import fresh

    return Place(directory, fresh(request.getfixturevalue("kafka"), partitions=1))
