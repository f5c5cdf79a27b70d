"""Hostile HTTP: probes over a bare socket. None is accepted, and the next good request is."""

import asyncio
import gzip
import json

import pytest

from tests.unit.listeners.doors import Door, page_view, written

BODY = written(page_view())
GIVEN_UP = 10.0


def post(
    *headers: bytes, body: bytes = BODY, line: bytes = b"POST /v1/touchpoints HTTP/1.1"
) -> bytes:
    return b"\r\n".join((line, *headers, b"", b"")) + body


LENGTH = b"Content-Length: %d" % len(BODY)
HOST = b"Host: x"
CHUNKED = b"Transfer-Encoding: chunked"


def chunk(body: bytes = BODY, size: bytes | None = None, extension: bytes = b"") -> bytes:
    return (size or b"%x" % len(body)) + extension + b"\r\n" + body + b"\r\n0\r\n\r\n"


PROBES = {
    "a header of 20 KB": post(HOST, LENGTH, b"X-A: " + b"a" * 20_000),
    "a header of 1 MB": post(HOST, LENGTH, b"X-A: " + b"a" * 1_000_000),
    "1,000 headers": post(HOST, LENGTH, *(b"X-%d: a" % n for n in range(1_000))),
    "a URL of 100 KB": post(
        HOST, LENGTH, line=b"POST /v1/touchpoints?" + b"q" * 100_000 + b" HTTP/1.1"
    ),
    "50 MB announced": post(HOST, b"Content-Length: 50000000", body=b"["),
    "both lengths": post(HOST, LENGTH, CHUNKED, body=chunk()),
    "two lengths": post(HOST, LENGTH, b"Content-Length: 5"),
    "a length with a sign": post(HOST, b"Content-Length: +%d" % len(BODY)),
    "a negative length": post(HOST, b"Content-Length: -1"),
    "a length twice in one": post(HOST, b"Content-Length: 5, 5"),
    "an unknown coding": post(HOST, b"Transfer-Encoding: xchunked", body=chunk()),
    "a space before the colon": post(HOST, LENGTH, b"X-A : b"),
    "NUL in a header": post(HOST, LENGTH, b"X-A: a\0b"),
    "a bare CR in a header": post(HOST, LENGTH, b"X-A: a\rb"),
    "bare LF": post(HOST, LENGTH).replace(b"\r\n", b"\n"),
    "a folded header": post(HOST, LENGTH, b"X-A: a\r\n b"),
    "no Host": post(LENGTH),
    "two Hosts": post(HOST, HOST, LENGTH),
    "rubbish in a chunk extension": post(HOST, CHUNKED, body=chunk(extension=b";\0a=b")),
    "a version from the future": post(HOST, LENGTH, line=b"POST /v1/touchpoints HTTP/9.9"),
    "an unknown method": post(HOST, LENGTH, line=b"FOO /v1/touchpoints HTTP/1.1"),
    "a bad chunk size": post(HOST, CHUNKED, body=chunk(size=b"zz")),
    "a gzip bomb": post(
        HOST,
        b"Content-Encoding: gzip",
        b"Content-Length: %d" % len(gzip.compress(b"0" * 50_000_000)),
        body=gzip.compress(b"0" * 50_000_000),
    ),
}


async def answer_to(url: str, probe: bytes) -> bytes:
    """What comes back until the connection is closed; nothing when it is closed at once."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    try:
        writer.write(probe)
        if b"Connection: close" not in probe:
            writer.write_eof()
        async with asyncio.timeout(GIVEN_UP):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize("probe", PROBES.values(), ids=PROBES.keys())
async def test_it_is_refused_and_the_next_good_request_is_taken(probe):
    door = Door()

    async with door.served() as url:
        answer = await answer_to(url, probe)
        refused = list(door.publisher.records)
        good = await answer_to(url, post(HOST, LENGTH, b"Connection: close"))

    assert answer == b"" or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4", b"HTTP/1.1 5"))
    assert not answer.startswith(b"HTTP/1.1 500")
    assert refused == []
    assert good.startswith(b"HTTP/1.1 200")


async def test_50_mb_in_chunks_are_refused_at_the_cap():
    door = Door(body_bytes_max=100_000)
    block = chunk(b" " * 65_536)[:-5]

    async with door.served() as url:
        answer = await answer_to(url, post(HOST, CHUNKED, body=block * 800))

    assert answer.startswith(b"HTTP/1.1 413")
    assert door.counted("touchpoints_limit_reached_total", limit="body_bytes_max") == 1
    assert door.publisher.records == []


async def test_a_body_a_byte_at_a_time_is_given_up():
    door = Door(body_deadline="300ms")

    async with door.served() as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(post(HOST, LENGTH, body=b""))
        answer = b""
        for byte in BODY:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.02)
            if reader.at_eof() or (answer := bytes(reader._buffer)):
                break
        writer.close()

    assert answer.startswith(b"HTTP/1.1 408")
    assert door.publisher.records == []


async def test_an_idle_connection_is_closed():
    door = Door(keep_alive="200ms")

    async with door.served() as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        async with asyncio.timeout(GIVEN_UP):
            assert await reader.read() == b""
        writer.close()


async def test_a_header_that_never_ends_is_given_up():
    door = Door(keep_alive="200ms")

    async with door.served() as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(b"POST /v1/touchpoints HTTP/1.1\r\nHost: x\r\nX-A: ")
        async with asyncio.timeout(GIVEN_UP):
            await reader.read()
        writer.close()

    assert door.publisher.records == []


async def test_slow_ones_do_not_hold_up_good_ones():
    door = Door()

    async with door.served() as url:
        port = int(url.rpartition(":")[2])
        slow = [await asyncio.open_connection("127.0.0.1", port) for _ in range(100)]
        for _, writer in slow:
            writer.write(post(HOST, b"Content-Length: 600", body=b"{"))
        answers = [
            await answer_to(url, post(HOST, LENGTH, b"Connection: close")) for _ in range(20)
        ]
        for _, writer in slow:
            writer.close()

    assert all(one.startswith(b"HTTP/1.1 200") for one in answers)


async def test_a_chunked_body_and_expect_continue_are_taken():
    door = Door()

    async with door.served() as url:
        close = b"Connection: close"
        chunked = await answer_to(url, post(HOST, CHUNKED, close, body=chunk()))
        expected = await answer_to(url, post(HOST, LENGTH, close, b"Expect: 100-continue"))

    assert chunked.startswith(b"HTTP/1.1 200")
    assert b"HTTP/1.1 200" in expected
    assert json.loads(chunked.partition(b"\r\n\r\n")[2])["accepted"] == 1
