"""Events as raw bodies and back, so that what the sandbox plays goes the same way as a webhook."""

import base64
import dataclasses
import json
import types
from datetime import datetime
from enum import Enum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from drivercrm.channels.provider import Event

KINDS = {kind.__name__: kind for kind in get_args(Event)}


def write(event: Event) -> bytes:
    """The raw body of an event; the same event gives the same bytes."""
    told = {"event": type(event).__name__, "fields": _plain(event)}
    return json.dumps(told, separators=(",", ":"), sort_keys=True).encode()


def read(body: bytes) -> Event:
    """The event of a raw body that `write` made. Raises ValueError for any other."""
    try:
        told = json.loads(body)
        return _typed(KINDS[told["event"]], told["fields"])
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError("not an event of the sandbox") from error


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat()
        case UUID():
            return str(value)
        case bytes():
            return base64.b64encode(value).decode()
        case tuple():
            return [_plain(one) for one in value]
        case Enum():
            return value.value
    if dataclasses.is_dataclass(value):
        told = {one.name: (getattr(value, one.name), one.default) for one in dataclasses.fields(value)}
        return {name: _plain(one) for name, (one, usual) in told.items() if one != usual}
    return value


def _typed(kind: Any, value: Any) -> Any:
    if get_origin(kind) in (Union, types.UnionType):
        [inner] = [one for one in get_args(kind) if one is not type(None)]
        return None if value is None else _typed(inner, value)
    if get_origin(kind) is tuple:
        if not isinstance(value, list):
            raise ValueError(value)
        return tuple(_typed(get_args(kind)[0], one) for one in value)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = _hints(kind)
        return kind(**{name: _typed(hints[name], one) for name, one in value.items()})
    if kind is datetime:
        at = datetime.fromisoformat(value)
        if at.tzinfo is None:
            raise ValueError(value)
        return at
    if kind is bytes:
        return base64.b64decode(value, validate=True)
    if kind is UUID or issubclass(kind, Enum):
        return kind(value)
    if type(value) is not kind:
        raise ValueError(value)
    return value


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)
