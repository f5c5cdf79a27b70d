"""Access: who may look, and from where a browser may ask.

Without users nobody logs in and the console stays on loopback; whoever can reach it there is an
operator. With users everybody logs in. Sessions are in memory: a restart logs everybody out.
"""

import hmac
import secrets
from collections.abc import Mapping
from hashlib import sha256
from threading import Lock
from time import monotonic
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import msgspec

from pipeline.passwords import hashed, matches

SESSION_COOKIE: Final = "__Host-touchpoints"
"""The prefix makes browsers insist on `Secure`, the whole host and no domain (RFC 6265bis)."""

SESSION_MAX: Final = 8 * 3600.0
"""Seconds after which somebody has to log in again (P): a working day."""

IDLE_MAX: Final = 3600.0
"""Seconds without a request after which likewise (P)."""

SESSIONS_MAX: Final = 1_000

FAILURES_MAX: Final = 5
"""Wrong passwords for one name, after which it is locked (P) …"""

LOCKED: Final = 900.0
"""… for so many seconds."""

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})


class User(msgspec.Struct, frozen=True):
    """Whoever looks. `name` is empty where nobody logs in; `session` where they did not yet."""

    name: str
    operator: bool
    session: str = ""


class Account(NamedTuple):
    """Somebody who may log in; `password` as `hashed` gives it."""

    role: str
    password: str


class _Session(msgspec.Struct):
    user: User
    began: float
    seen: float


class Locked(Exception):
    """Too many wrong passwords for this name."""


class Access:
    """Users, their sessions and the hosts that the console answers for.

    Args:
        accounts: By name.
        hosts: Names beside loopback's by which the console is reached.
    """

    def __init__(self, accounts: Mapping[str, Account], hosts: frozenset[str]) -> None:
        self._accounts = accounts
        self._hosts = LOOPBACK | hosts
        self._secret: Final = secrets.token_bytes(32)
        self._sessions: dict[str, _Session] = {}
        self._failures: dict[str, tuple[int, float]] = {}
        self._counting = Lock()
        self._nobody = hashed(secrets.token_hex(16))

    @property
    def open(self) -> bool:
        """Whether nobody has to log in."""
        return not self._accounts

    def answers_for(self, host: str | None) -> bool:
        """Whether a Host header names this console: another one may be DNS rebinding."""
        name = (host or "").lower()
        if ":" in name and not name.endswith("]"):
            name = name.rpartition(":")[0]
        return name in self._hosts

    def same_origin(self, headers: Mapping[str, str], host: str) -> bool:
        """Whether a browser says that a form was sent from our own pages.

        Pages that send no referrer, as ours, send `null` for their origin, too (Fetch, 4.1): then
        the browser has to say in so many words that it is the same.
        """
        site, origin = headers.get("Sec-Fetch-Site"), headers.get("Origin")
        if site is not None and site not in ("same-origin", "none"):
            return False
        if origin == "null":
            return site == "same-origin"
        try:
            return origin is None or urlsplit(origin).netloc.lower() == host.lower()
        except ValueError:
            return False

    def user_of(self, cookie: str | None) -> User | None:
        """Who has a session; None where one has to log in."""
        if self.open:
            return User("", operator=True)
        now = monotonic()
        key = sha256((cookie or "").encode()).hexdigest()
        session = self._sessions.get(key)
        if session is None:
            return None
        if now - session.began > SESSION_MAX or now - session.seen > IDLE_MAX:
            del self._sessions[key]
            return None
        session.seen = now
        return session.user

    def check(self, name: str, password: str) -> bool:
        """Whether a password is right; takes as long for names that nobody has.

        Raises:
            Locked: Too many were wrong.
        """
        count, last = self._failures.get(name, (0, 0.0))
        if count >= FAILURES_MAX and monotonic() - last < LOCKED:
            raise Locked
        account = self._accounts.get(name)
        right = matches(password, self._nobody if account is None else account.password)
        with self._counting:
            return self._counted(name, right=right and account is not None)

    def _counted(self, name: str, *, right: bool) -> bool:
        """Keep count of wrong passwords, those included that were checked at the same time."""
        if right:
            self._failures.pop(name, None)
            return True
        count, last = self._failures.get(name, (0, 0.0))
        if len(self._failures) >= SESSIONS_MAX and name not in self._failures:
            self._failures.pop(next(iter(self._failures)))
        again = monotonic() - last < LOCKED
        self._failures[name] = (count + 1 if again else 1, monotonic())
        return False

    def begin(self, name: str) -> str:
        """A new session; gives the cookie's value."""
        token = secrets.token_urlsafe(32)
        key = sha256(token.encode()).hexdigest()
        now = monotonic()
        if len(self._sessions) >= SESSIONS_MAX:
            del self._sessions[min(self._sessions, key=lambda one: self._sessions[one].seen)]
        user = User(name, self._accounts[name].role == "operator", key)
        self._sessions[key] = _Session(user, now, now)
        return token

    def end(self, user: User) -> None:
        """Log out."""
        self._sessions.pop(user.session, None)

    def token(self, user: User | None) -> str:
        """What a form of this user's has to carry."""
        session = "" if user is None else user.session
        return hmac.digest(self._secret, f"form|{session}".encode(), "sha256").hex()

    def token_is(self, given: str, user: User | None) -> bool:
        """Whether a form carries it."""
        return hmac.compare_digest(given.encode(), self.token(user).encode())
