"""Whole files or none, and a nested state as flat named arrays.

Every file is written under a temporary name and moved into place, so a file that is there is whole.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

if sys.platform != "win32":
    import fcntl

from specnorm_np.network import Params
from specnorm_np.spectral import Array


def write(path: Path, writer: Callable[[IO[bytes]], object]) -> None:
    """Write a file under a temporary name in the same folder and move it into place."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            writer(file)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file as `write` does."""
    write(path, lambda file: file.write(text.encode()))


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold a folder for this process alone, so that no second one writes into it. A crash leaves no lock behind.

    The operating system keeps the lock, on the folder itself, for the files in it are replaced. Where it has no such
    locks (Windows), nothing is held.

    Raises
    ------
    ValueError
        If another process holds it.
    """
    if sys.platform == "win32":
        yield
        return
    held = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        raise ValueError(f"{directory} is being trained by another process; expected to be the only one") from None
    try:
        yield
    finally:
        os.close(held)


def flatten(value: Any, name: str) -> Iterator[tuple[str, Array]]:
    """Yield the leaves of a state, each with the path to it as its name.

    A state is made of tuples, dicts, `Params`, arrays, numbers, None and random generators (stored as JSON).
    """
    if isinstance(value, Params):
        yield name, value.vector
    elif isinstance(value, np.random.Generator):
        yield name, np.array(json.dumps(value.bit_generator.state))
    elif isinstance(value, tuple | dict):
        for key, item in _items(value):
            yield from flatten(item, f"{name}.{key}")
    elif value is not None:
        yield name, np.asarray(value)


def restore(template: Any, name: str, arrays: Mapping[str, Array]) -> Any:
    """Build a state like `template` out of what `flatten` has yielded.

    Raises
    ------
    ValueError
        If an array is missing or has another shape or dtype than in the template.
    """
    if isinstance(template, tuple | dict):
        items = {key: restore(item, f"{name}.{key}", arrays) for key, item in _items(template)}
        if isinstance(template, dict):
            return items
        return type(template)(*items.values()) if hasattr(template, "_fields") else tuple(items.values())
    for leaf, expected in flatten(template, name):
        found = arrays.get(leaf)
        if found is None or found.shape != expected.shape or found.dtype.kind != expected.dtype.kind:
            raise ValueError(f"{leaf} is missing or not like this run's")
        if isinstance(template, Params):
            return template.replace(found.astype(expected.dtype, copy=False))
        if isinstance(template, np.random.Generator):
            template.bit_generator.state = json.loads(str(found))
            return template
        return found if isinstance(template, np.ndarray) else type(template)(found.item())
    return None


def _items(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return list(value.items())
    return list(zip(getattr(value, "_fields", map(str, range(len(value)))), value, strict=True))
