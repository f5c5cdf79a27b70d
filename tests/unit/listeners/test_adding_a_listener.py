"""`docs/adding-a-listener.md` is run: its file, its row, its request, and what comes out of it."""

import importlib.util
import json
import re
from pathlib import Path
from typing import cast

import pytest
from aiohttp import ClientSession

from listeners import dialects
from listeners.adapters.adapter import Adapter
from listeners.credentials import hashed
from listeners.dialects import DIALECTS, Dialect, Route
from schemas.codec import encode
from tests.unit.listeners.doors import Door

PAGE = Path(__file__).parents[3] / "docs" / "adding-a-listener.md"
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)


def blocks(kind):
    return [text for named, text in BLOCK.findall(PAGE.read_text()) if named == kind]


@pytest.fixture
def row(tmp_path, monkeypatch):
    """The page's file as a module, and its row in the table."""
    file, written = blocks("python")
    path = tmp_path / "parlour.py"
    path.write_text(file)
    spec = importlib.util.spec_from_file_location("parlour", path)
    parlour = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(parlour)
    names = {"Dialect": Dialect, "Route": Route, "cast": cast, "Adapter": Adapter}
    table = eval("{" + written + "}", names | {"parlour": parlour})
    for name, dialect in table.items():
        monkeypatch.setitem(cast(dict, DIALECTS), name, dialect)
    return table


async def test_a_file_and_a_row_are_a_channel(row):
    request, expected = blocks("json")
    door = Door(sources=[{"name": "parlour", "keys": [hashed("parlour-key")]}])
    key = {"Authorization": "Bearer parlour-key"}

    async with door.served() as url, ClientSession() as client:
        answers = []
        for headers in (key, {}):
            async with client.post(
                url + "/chatbot/parlour", data=request, headers=headers
            ) as answer:
                answers.append(answer.status)
        async with client.get(url + "/openapi.json") as answer:
            paths = (await answer.json())["paths"]

    assert answers == [200, 401]
    assert [json.loads(encode(one)) for one in door.touchpoints] == [json.loads(expected)]
    assert "/chatbot/parlour" in paths
    assert door.counted("touchpoints_receive_seconds_count", dialect="parlour") == 1


def test_the_page_names_what_there_is():
    named = set(re.findall(r"`(listeners/[\w/.]+)`", PAGE.read_text()))
    root = PAGE.parents[1]

    missing = {one for one in named if not (root / one).exists()}

    assert missing == {"listeners/adapters/chatbot/parlour.py"}
    assert Path(dialects.__file__).is_relative_to(root)
