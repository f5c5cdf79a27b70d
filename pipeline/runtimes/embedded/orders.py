"""Orders: what an operator's command asks of the process that runs, through its folder.

A command writes a file; the engine's thread, which alone may write to the data, obeys between two
cycles and leaves an answer beside it. So it needs no port and no password: who may write to the
folder may give orders. An order outlasts a crash, and is obeyed once more after it: none does harm
twice.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

ORDERS_NAME: Final = "orders"
"""The folder within the data's."""

_ANSWER: Final = ".answer"


class Append(msgspec.Struct, frozen=True, tag=True):
    """Append records, in one transaction, as if they had been published.

    Attributes:
        why: The command that asks for it, for the log.
        records: Topic, key and value of each.
        erasures: Those whose receipts the file kept before it was read what the records are made
            of. With another since it is refused: they may be of whom that erased. None where
            they are made of nothing that was read.
    """

    id: str
    why: str
    records: tuple[tuple[str, str, bytes], ...]
    erasures: tuple[str, ...] | None = None


class Erase(msgspec.Struct, frozen=True, tag=True):
    """Erase the customer of an identifier, given as `type:value`."""

    id: str
    identifier: str


Order = Append | Erase


class Answer(msgspec.Struct, frozen=True):
    """What came of an order.

    Attributes:
        done: What the command prints; an erasure's receipt.
        refused: Why nothing was done; empty where it was.
    """

    done: msgspec.Raw = msgspec.Raw(b"null")
    refused: str = ""


_decode: Final = msgspec.json.Decoder(Order).decode


def give(directory: Path, order: Order) -> None:
    """Leave an order for the process that runs on the folder."""
    folder = directory / ORDERS_NAME
    folder.mkdir(mode=0o700, exist_ok=True)
    _write(folder / order.id, msgspec.json.encode(order))


def waiting(directory: Path) -> Iterator[Order]:
    """Orders that nobody has obeyed, by their ids. One that is none is answered at once."""
    folder = directory / ORDERS_NAME
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return
    for name in names:
        if name.endswith((_ANSWER, ".new")):
            continue
        try:
            yield _decode((folder / name).read_bytes())
        except FileNotFoundError:
            continue  # taken back
        except msgspec.MsgspecError as error:
            _answer(folder / name, Answer(refused=f"expected an order; found {error}"))


def answer(directory: Path, order: Order, given: Answer) -> None:
    """Say what came of an order; it is not obeyed again."""
    _answer(directory / ORDERS_NAME / order.id, given)


def answered(directory: Path, order: Order) -> Answer | None:
    """The answer, which is taken away; None while there is none."""
    path = directory / ORDERS_NAME / f"{order.id}{_ANSWER}"
    try:
        given = msgspec.json.decode(path.read_bytes(), type=Answer)
    except FileNotFoundError:
        return None
    path.unlink()
    return given


def take_back(directory: Path, order: Order) -> None:
    """Nobody is to obey it any more."""
    _wipe(directory / ORDERS_NAME / order.id)


def _answer(path: Path, given: Answer) -> None:
    _write(path.with_name(path.name + _ANSWER), msgspec.json.encode(given))
    _wipe(path)


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all, for our eyes only."""
    new = path.with_name(path.name + ".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.rename(path)


def _wipe(path: Path) -> None:
    """Overwritten first: it may name whom it is about to erase."""
    try:
        with path.open("r+b") as file:
            file.write(bytes(path.stat().st_size))
            file.flush()
            os.fsync(file.fileno())
        path.unlink()
    except FileNotFoundError:
        return
