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

#: Bytes of one payload: the server's ``limit.blobSize.error``, unless it is set otherwise there.
MOST = 2 * 1024 * 1024

#: Bytes of JSON from which it is worth compressing.
LARGE = 32_768

_ENCODING, _JSON, _COMPRESSED = "encoding", b"json/plain", b"json/zlib"
#: What compressed payloads were called at first; Temporal's own name for any bytes.
_ONCE = b"binary/plain"


#: Bytes that 2 MB may become when they are read. A plan becomes ten times as many; a thousand times
#: as many would fill the memory, and take longer than a workflow task may.
_MOST_READ = 64 * 1024 * 1024


def pack(thing: Any) -> RawValue:
    """``thing``, plain JSON, as a payload."""
    data = json.dumps(thing, separators=(",", ":")).encode()
    if len(data) < LARGE:
        return RawValue(Payload(metadata={_ENCODING: _JSON}, data=data))
    return RawValue(Payload(metadata={_ENCODING: _COMPRESSED}, data=zlib.compress(data)))


def unpack(raw: RawValue) -> Any:
    """What ``pack`` was given."""
    payload = raw.payload
    if payload.metadata[_ENCODING] in (_COMPRESSED, _ONCE):
        return json.loads(_decompressed(payload.data))
    return json.loads(payload.data)


def _decompressed(data: bytes) -> bytes:
    reading = zlib.decompressobj()
    read = reading.decompress(data, _MOST_READ)
    if reading.unconsumed_tail:
        raise ValueError(f"a payload of more than {_MOST_READ:,} bytes")
    return read
