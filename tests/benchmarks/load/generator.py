"""A load generator in a process of its own: sends prepared requests, as fast as they are answered.

    python -m tests.benchmarks.load.generator PORT LANES < requests

Standard input has the requests, each behind its length in four bytes; they are dealt to the lanes
in turn. Each lane is a connection, and sends its own in order. It prints one JSON object: answers
by status, seconds, and waiting times.
"""

import json
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from queue import Empty, SimpleQueue

AGAIN = 0.05
"""Seconds before a request that was answered 503 is sent again."""


def packed(bodies: Sequence[bytes], port: int) -> bytes:
    """Requests as the generator reads them."""
    parts = []
    for body in bodies:
        head = (
            f"POST /v1/touchpoints HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nX-Write-Key: shop\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode()
        request = head + body
        parts += [len(request).to_bytes(4, "big"), request]
    return b"".join(parts)


def unpacked(content: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(content):
        size = int.from_bytes(content[at : at + 4], "big")
        yield content[at + 4 : at + 4 + size]
        at += 4 + size


def answer(wire: socket.socket) -> int:
    """Read one answer whole; its status."""
    found = b""
    while b"\r\n\r\n" not in found:
        found += wire.recv(65536)
    head, _, rest = found.partition(b"\r\n\r\n")
    left = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]) - len(rest)
    while left > 0:
        left -= len(wire.recv(65536))
    return int(head[9:12])


def lane(
    port: int, queue: "SimpleQueue[bytes]", statuses: Counter[int], waits: list[float]
) -> None:
    with socket.create_connection(("127.0.0.1", port)) as wire:
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            try:
                request = queue.get_nowait()
            except Empty:
                return
            while True:
                asked = time.perf_counter()
                wire.sendall(request)
                status = answer(wire)
                waits.append(time.perf_counter() - asked)
                statuses[status] += 1
                if status != 503:
                    break
                time.sleep(AGAIN)


def main() -> None:
    port, lanes = int(sys.argv[1]), int(sys.argv[2])
    queues: list[SimpleQueue[bytes]] = [SimpleQueue() for _ in range(lanes)]
    for number, request in enumerate(unpacked(sys.stdin.buffer.read())):
        queues[number % lanes].put(request)
    statuses: Counter[int] = Counter()
    waits: list[float] = []
    threads = [
        threading.Thread(target=lane, args=(port, queue, statuses, waits)) for queue in queues
    ]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - started
    print(json.dumps({"statuses": statuses, "seconds": seconds, "waits": waits}))


if __name__ == "__main__":
    main()
