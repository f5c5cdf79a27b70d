"""A plugin of pytest for `make test-compiled`: the tests must not see the tree's Python instead."""

from importlib import import_module

HOT = ("pipeline.stitching.picture", "pipeline.runtimes.engine", "listeners.listener")


def pytest_sessionstart() -> None:
    for name in HOT:
        file = str(import_module(name).__file__)
        if not file.endswith(".so"):
            message = f"expected {name} compiled; found {file}"
            raise RuntimeError(message)
