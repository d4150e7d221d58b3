"""Claims in Redis: a hash for each claim, and sorted sets of those that are made, unsent and open.

Each step is one script, so that it happens whole. Claims have no time to live: one that is shorter
than the time in which a producer repeats its call would let the work be done twice. ``forget`` is
what removes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import redis
from redis.exceptions import RedisError

from offcanvas.cutover.claims import Claim
from offcanvas.cutover.errors import ClaimsUnavailable
from offcanvas.errors import UsageError, line_of
from offcanvas.printable import masked

#: All keys are on one node of a cluster, as scripts need them.
_PREFIX = "{offcanvas-claims}:"
_NOW = "local t = redis.call('TIME'); local now = t[1] + t[2] / 1000000; "
_CLAIM = _NOW + (
    "if redis.call('EXISTS', KEYS[1]) == 1 then return redis.call('HGETALL', KEYS[1]) end; "
    "redis.call('HSET', KEYS[1], 'made', string.format('%.6f', now), unpack(ARGV, 2)); "
    "redis.call('ZADD', KEYS[2], now, ARGV[1]); redis.call('ZADD', KEYS[3], now, ARGV[1]); "
    "return false"
)
_SENT = _NOW + (
    "for i = 2, #KEYS do if redis.call('EXISTS', KEYS[i]) == 1 then "
    "redis.call('HSETNX', KEYS[i], 'sent', string.format('%.6f', now)) end; "
    "redis.call('ZREM', KEYS[1], ARGV[i - 1]) end"
)
_BEGIN = _NOW + (
    "local at = string.format('%.6f', now); "
    "if redis.call('EXISTS', KEYS[1]) == 0 then return 1 end; "
    "redis.call('HSETNX', KEYS[1], 'begun', at); "
    "if ARGV[1] == ARGV[2] then redis.call('HSETNX', KEYS[1], 'sent', at); "
    "redis.call('ZREM', KEYS[3], ARGV[1]); end; "
    "if redis.call('HSETNX', KEYS[2], ARGV[2], ARGV[3]) == 1 then return 1 end; "
    "if redis.call('HGET', KEYS[2], ARGV[2]) == ARGV[3] then return 1 end; return 0"
)
_END = _NOW + (
    "if redis.call('EXISTS', KEYS[1]) == 0 or redis.call('HEXISTS', KEYS[1], 'ended') == 1 then "
    "return end; local at = string.format('%.6f', now); "
    "redis.call('HSET', KEYS[1], 'ended', at, 'call', '', unpack(ARGV, 2)); "
    "redis.call('HSETNX', KEYS[1], 'sent', at); "
    "redis.call('ZREM', KEYS[2], ARGV[1]); redis.call('ZADD', KEYS[3], now, ARGV[1]); "
)
_REDO = (
    "if redis.call('EXISTS', KEYS[1]) == 0 or redis.call('HEXISTS', KEYS[1], 'ended') == 1 then "
    "return end; if ARGV[2] == '0' then redis.call('HSET', KEYS[1], 'redo', '1'); return end; "
    "redis.call('HSET', KEYS[1], 'redo', '', 'engine', 'celery'); "
    "redis.call('HDEL', KEYS[1], 'sent'); redis.call('DEL', KEYS[2]); "
    "redis.call('ZADD', KEYS[3], redis.call('HGET', KEYS[1], 'made'), ARGV[1])"
)
_WITHDRAW = (
    "if redis.call('HEXISTS', KEYS[1], 'sent') == 1 then return end; "
    "redis.call('DEL', KEYS[1], KEYS[2]); redis.call('ZREM', KEYS[3], ARGV[1]); "
    "redis.call('ZREM', KEYS[4], ARGV[1])"
)


class RedisClaims:
    """Claims in a Redis; see ``claims.Claims``."""

    def __init__(self, address: str) -> None:
        self._where = masked(address)
        try:
            self._client: Any = redis.Redis.from_url(
                address, decode_responses=True, socket_timeout=10, socket_connect_timeout=5
            )
        except ValueError as error:
            said = f"claims = {self._where!r} is not an address of a Redis: {error}"
            raise UsageError(said) from None
        self._scripts = {
            name: self._client.register_script(text)
            for name, text in {
                "claim": _CLAIM,
                "sent": _SENT,
                "begin": _BEGIN,
                "end": _END,
                "redo": _REDO,
                "withdraw": _WITHDRAW,
            }.items()
        }

    def _do(self, script: str, keys: Sequence[str], args: Sequence[str]) -> Any:
        return self._ask(
            lambda: self._scripts[script](keys=[_PREFIX + key for key in keys], args=list(args))
        )

    def _ask(self, question: Any) -> Any:
        try:
            return question()
        except RedisError as error:
            # "Error 111 connecting to ...": nothing was asked. Anything else may have been done.
            sure = " connecting to " in str(error)
            raise ClaimsUnavailable(self._where, line_of(error), sure=sure) from error

    def claim(self, new: Claim, within: Any = None) -> Claim | None:
        """See ``Claims.claim``."""
        if within is not None:
            raise UsageError(
                "claims in Redis cannot be part of a transaction of a database: send after the "
                'commit, or keep the claims in that database (claims = "django", or its address)'
            )
        values = {
            "id": new.id,
            "root": new.root,
            "engine": new.engine,
            "key": new.key[:255],
            "version": new.version,
            "call": new.call,
        }
        flat = [part for pair in values.items() for part in pair]
        found = self._do("claim", [f"claim:{new.id}", "made", "unsent"], [new.id, *flat])
        return None if not found else _claim(_pairs(found))

    def get(self, claim_id: str) -> Claim | None:
        """See ``Claims.get``."""
        found = self._ask(lambda: self._client.hgetall(f"{_PREFIX}claim:{claim_id}"))
        return _claim(found) if found else None

    def note_sent(self, ids: Iterable[str]) -> None:
        """See ``Claims.note_sent``."""
        these = list(ids)
        if these:
            self._do("sent", ["unsent", *(f"claim:{one}" for one in these)], these)

    def begin(self, claim_id: str, task_id: str, token: str) -> bool:
        """See ``Claims.begin``."""
        keys = [f"claim:{claim_id}", f"begun:{claim_id}", "unsent"]
        return bool(self._do("begin", keys, [claim_id, task_id, token]))

    def begun_tasks(self, claim_id: str) -> int:
        """See ``Claims.begun_tasks``."""
        return int(self._ask(lambda: self._client.hlen(f"{_PREFIX}begun:{claim_id}")))

    def unsent(self, older: float, limit: int) -> Sequence[Claim]:
        """See ``Claims.unsent``."""
        until = self.now() - older
        ids = self._ask(
            lambda: self._client.zrangebyscore(f"{_PREFIX}unsent", "-inf", until, 0, limit)
        )
        return self._several(ids)

    def open(self, limit: int, root: str | None = None) -> Sequence[Claim]:
        """See ``Claims.open``."""
        ids = self._ask(lambda: self._client.zrange(f"{_PREFIX}made", 0, -1))
        ended = set(self._ask(lambda: self._client.zrange(f"{_PREFIX}ended", 0, -1)))
        unsent = set(self._ask(lambda: self._client.zrange(f"{_PREFIX}unsent", 0, -1)))
        waiting = [one for one in ids if one not in ended and one not in unsent]
        found = [one for one in self._several(waiting) if root is None or one.root == root]
        return found[:limit]

    def end(self, claim_id: str, state: str, took: float | None) -> None:
        """See ``Claims.end``."""
        told = ["state", state, *([] if took is None else ["took", f"{took:.6f}"])]
        self._do("end", [f"claim:{claim_id}", "unsent", "ended"], [claim_id, *told])

    def redo(self, claim_id: str, *, moved: bool) -> None:
        """See ``Claims.redo``."""
        keys = [f"claim:{claim_id}", f"begun:{claim_id}", "unsent"]
        self._do("redo", keys, [claim_id, "1" if moved else "0"])

    def withdraw(self, claim_id: str) -> None:
        """See ``Claims.withdraw``."""
        keys = [f"claim:{claim_id}", f"begun:{claim_id}", "made", "unsent"]
        self._do("withdraw", keys, [claim_id])

    def since(self, seconds: float) -> Sequence[Claim]:
        """See ``Claims.since``."""
        after = self.now() - seconds
        ids = self._ask(lambda: self._client.zrange(f"{_PREFIX}made", 0, -1))
        found = self._several(ids)
        return [one for one in found if one.ended is None or one.made >= after]

    def forget(self, older: float) -> int:
        """See ``Claims.forget``."""
        until = self.now() - older
        ids = self._ask(lambda: self._client.zrange(f"{_PREFIX}ended", 0, -1))
        old = [one.id for one in self._several(ids) if one.made < until]
        for one in old:
            names = [f"{_PREFIX}{kind}:{one}" for kind in ("claim", "begun")]
            self._ask(lambda names=names: self._client.delete(*names))
        for index in ("made", "ended", "unsent"):
            if old:
                self._ask(lambda index=index: self._client.zrem(f"{_PREFIX}{index}", *old))
        return len(old)

    def now(self) -> float:
        """See ``Claims.now``."""
        seconds, parts = self._ask(self._client.time)
        return float(seconds + parts / 1_000_000)

    def create(self) -> None:
        """See ``Claims.create``; see only that it answers."""
        self._ask(self._client.ping)

    def close(self) -> None:
        """See ``Claims.close``."""
        self._client.close()

    def _several(self, ids: Sequence[str]) -> list[Claim]:
        pipe = self._client.pipeline(transaction=False)
        for one in ids:
            pipe.hgetall(f"{_PREFIX}claim:{one}")
        return [_claim(found) for found in self._ask(pipe.execute) if found] if ids else []


def _pairs(flat: Sequence[str]) -> dict[str, str]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _claim(found: Mapping[str, str]) -> Claim:
    numbers: dict[str, Any] = {
        name: float(found[name])
        for name in ("made", "sent", "begun", "ended", "took")
        if found.get(name)
    }
    texts: dict[str, Any] = {name: found.get(name, "") for name in _TEXTS}
    return Claim(**texts, **numbers, state=found.get("state"), redo=bool(found.get("redo")))


_TEXTS = ("id", "root", "engine", "key", "version", "call")
