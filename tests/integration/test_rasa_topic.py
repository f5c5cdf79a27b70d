"""Rasa's topic on a real broker, its reader as a process, and a listener that was away."""

import asyncio
import json
import os
import signal
import sys

import pytest
from confluent_kafka import Producer

from listeners.credentials import hashed
from tests.integration import topics
from tests.integration.test_asterisk_bridge import eventually
from tests.unit.listeners.doors import Door

pytestmark = pytest.mark.integration

TOPIC = "rasa_core_events"


async def test_what_rasa_put_on_its_topic_comes_through_once_over_a_restart(request, tmp_path):
    servers = topics.broker(request).bootstrap_servers
    topic = f"{TOPIC}_{os.getpid()}"
    topics.make(servers, (topic,))
    producer = Producer({"bootstrap.servers": servers})
    for number in range(20):
        event = {"sender_id": f"c-{number % 3}", "event": "pause", "timestamp": 1767322445 + number}
        producer.produce(topic, json.dumps(event).encode())
    producer.flush(30)
    settings = tmp_path / "settings.toml"
    settings.write_text(f'[kafka]\nbootstrap_servers = "{servers}"\n')
    door = Door(sources=[{"name": "bot", "keys": [hashed("bot-key")]}])
    door.now = door.now.replace(year=2099)
    door.publisher.down = True

    async def reader(url):
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "listeners.bridges.rasa", "--settings", str(settings),
            "--topic", topic, "--group", topic, "--listener", f"{url}/chatbot/rasa",
            env=os.environ | {"TOUCHPOINTS_BRIDGE_KEY": "bot-key"},
        )  # fmt: skip

    async with door.served() as url:
        first = await reader(url)
        await eventually(
            lambda: door.counted("touchpoints_rejected_total", reason="unavailable"), 60
        )
        first.send_signal(signal.SIGTERM)
        await first.wait()
        door.publisher.down = False
        second = await reader(url)
        await eventually(lambda: len({one.id for one in door.touchpoints}) == 20, 90)
        second.send_signal(signal.SIGTERM)
        code = await asyncio.wait_for(second.wait(), 30)

    assert code == 0
    assert sorted(one.id for one in door.touchpoints) == sorted(
        f"{topic}/{partition}/{offset}"
        for partition, offset in {tuple(one.id.split("/")[1:]) for one in door.touchpoints}
    )
    assert len(door.touchpoints) == 20
