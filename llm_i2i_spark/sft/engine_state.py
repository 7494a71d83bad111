"""The state of an engine as tensors and JSON: what is written for a resumed training, free of
pickles.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from torch import Tensor


class EngineState(NamedTuple):
    """A state that is made of dictionaries and lists, taken apart.

    Attributes:
        tensors: by their place in it.
        tree: the rest, as JSON knows it.
    """

    tensors: dict[str, Tensor]
    tree: Any


def split(state: Any) -> EngineState:
    """Take a state apart.

    Objects that are neither numbers nor text are left out: an engine that was made in the same way
    has its own.

    >>> import torch
    >>> split({"step": torch.tensor(2), "rate": 0.5}).tree
    {'dict': [['step', {'tensor': '0'}], ['rate', {'value': 0.5}]]}
    """
    tensors: dict[str, Tensor] = {}
    return EngineState(tensors, _split(state, tensors))


def join(state: EngineState, own: Any) -> Any:
    """Put a state together again.

    Args:
        state: as `split` made it.
        own: a state of the engine that it is for, from which left-out objects are taken.

    Raises:
        ValueError: it is not of the form that `split` makes.
        KeyError: a tensor or an object is missing.
    """
    return _join(state.tree, state.tensors, own)


def _split(node: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(node, Tensor):
        name = str(len(tensors))
        tensors[name] = node.detach().cpu().clone()
        return {"tensor": name}
    if isinstance(node, dict):
        return {"dict": [[key, _split(value, tensors)] for key, value in node.items()]}
    if isinstance(node, list | tuple):
        return {"list": [_split(value, tensors) for value in node], "tuple": type(node) is tuple}
    if node is None or isinstance(node, bool | int | float | str):
        return {"value": node}
    return {"own": True}


def _join(node: Any, tensors: dict[str, Tensor], own: Any) -> Any:
    match node:
        case {"tensor": str(name)}:
            return tensors[name]
        case {"dict": list(entries)}:
            mine = own if isinstance(own, dict) else {}
            return {key: _join(value, tensors, mine.get(key)) for key, value in _pairs(entries)}
        case {"list": list(values), "tuple": bool(is_tuple)}:
            theirs = list(own) if isinstance(own, list | tuple) else []
            theirs += [None] * (len(values) - len(theirs))
            joined = [
                _join(value, tensors, one) for value, one in zip(values, theirs, strict=False)
            ]
            return tuple(joined) if is_tuple else joined
        case {"value": value}:
            return value
        case {"own": True} if own is not None:
            return own
    raise ValueError(f"no part of an engine's state: {str(node)[:80]}")


def _pairs(entries: list[Any]) -> Iterator[tuple[Any, Any]]:
    for entry in entries:
        if not (isinstance(entry, list) and len(entry) == 2):
            raise ValueError(f"no entry of an engine's state: {str(entry)[:80]}")
        yield entry[0], entry[1]
