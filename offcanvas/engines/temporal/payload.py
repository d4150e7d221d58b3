"""What crosses the server: JSON, compressed when it is large.

The server takes payloads of 2 MB at the most. A chord of 10,000 members is about that as JSON, and
a seventh of it compressed. Small payloads stay readable in Temporal's UI. Values are carried as
they are, in kombu's wire form: nothing here looks into them.
"""

from __future__ import annotations

import json
import zlib
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue

#: Bytes of JSON from which it is worth compressing.
LARGE = 32_768

_ENCODING, _JSON, _BINARY = "encoding", b"json/plain", b"binary/plain"


def pack(thing: Any) -> RawValue:
    """``thing``, plain JSON, as a payload."""
    data = json.dumps(thing, separators=(",", ":")).encode()
    if len(data) < LARGE:
        return RawValue(Payload(metadata={_ENCODING: _JSON}, data=data))
    return RawValue(Payload(metadata={_ENCODING: _BINARY}, data=zlib.compress(data)))


def unpack(raw: RawValue) -> Any:
    """What ``pack`` was given."""
    payload = raw.payload
    if payload.metadata[_ENCODING] == _BINARY:
        return json.loads(zlib.decompress(payload.data))
    return json.loads(payload.data)
