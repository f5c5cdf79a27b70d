"""The settings of the listeners: who may send, from where, and every limit by its name.

They come from a TOML file and from the environment, where `TOUCHPOINTS_` and the field's name in
capitals stand before the file. Sources of the limits: `docs/listeners.md`.
"""

import ipaddress
import re
import tomllib
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from listeners.errors import SettingsInvalid
from listeners.signatures import SCHEMES
from schemas.brokers import Brokers
from schemas.records import Channel

OPEN_HASH_KEY: Final = "touchpoints"
"""Hashes personal identifiers while no settings name a key: the same on every machine, so that a
replay agrees with what was received, and no secret."""

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_UNITS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_KEY: Final = re.compile(r"sha256:[0-9a-f]{64}")
_REDIRECT: Final = re.compile(r"https://[^\s?#]+")
_THIS_MACHINE: Final = ("127.0.0.1", "localhost", "::1")
_ORIGIN: Final = re.compile(r"https?://[a-z0-9.\-]+(:\d{1,5})?|https?://\[[0-9a-f:]+\](:\d{1,5})?")


def _duration(value: object) -> object:
    """`"30s"` and its like as a timedelta; anything else as it is, for pydantic to refuse."""
    if isinstance(value, str) and (match := _DURATION.fullmatch(value)):
        return timedelta(seconds=float(match[1]) * _UNITS[match[2]])
    return value


Duration = Annotated[timedelta, BeforeValidator(_duration), Field(gt=timedelta(0))]
Count = Annotated[int, Field(gt=0)]


def is_safe(address: str) -> bool:
    """Whether what an address answers cannot be changed on its way: https, or this machine."""
    try:
        found = urlsplit(address)
        host = found.hostname
    except ValueError:
        return False
    return found.scheme == "https" or (found.scheme == "http" and host in _THIS_MACHINE)


class SourceSettings(BaseModel):
    """One source: whoever holds one of its write keys.

    Attributes:
        name: What its touchpoints carry as `source`.
        keys: Write keys as `sha256:` and 64 hex digits, several during a rotation.
        channel: The channel of all it sends; needed where items do not say.
        origins: Browser origins that may use its keys; none for a server's.
        anonymous_ids: A regular expression that a whole id matches when it names a device and no
            person, where the emitter does not say: PostHog's servers.
        signed: How its requests are signed; then an unsigned one is refused, whatever its key.
        secrets: What they are signed with; two during a rotation.
        app_ids: Of a source whose requests show a token, `botframework`: the bots' ids, one of
            which the token is for.
        token_keys: Where the keys that tokens are signed with stand: an address of an OpenID
            configuration or of a JWKS, or the path of a JWKS.
        token_issuer: Who has to have made them.
        user_ids: Whether the ids that its chats and bots give to customers are the company's own
            user ids; otherwise they are as good as a device's.
        trusts_caller_ids: Whether a caller's number is who calls, also where the network does not
            attest it.
        keeps_text: Whether what was typed or said is kept; otherwise only its length is.
        handoffs: What its bot calls a hand-off to a person: actions, intents, tags.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._\-]+$")
    keys: tuple[str, ...] = ()
    channel: Channel | None = None
    origins: tuple[str, ...] = ()
    anonymous_ids: str | None = Field(default=None, max_length=256)
    signed: Literal["webhook", "twilio", "typeform", "zendesk", "botframework"] | None = None
    secrets: tuple[SecretStr, ...] = Field(default=(), max_length=2)
    app_ids: tuple[str, ...] = ()
    token_keys: str = "https://login.botframework.com/v1/.well-known/openidconfiguration"
    token_issuer: str = "https://api.botframework.com"
    user_ids: bool = False
    trusts_caller_ids: bool = False
    keeps_text: bool = False
    handoffs: tuple[str, ...] = ()

    @cached_property
    def anonymous(self) -> re.Pattern[str] | None:
        """The pattern, compiled."""
        return None if self.anonymous_ids is None else re.compile(self.anonymous_ids)

    @field_validator("anonymous_ids")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        try:
            re.compile(pattern or "")
        except re.error as error:
            message = f"expected a regular expression: {error}"
            raise ValueError(message) from error
        return pattern

    @field_validator("keys")
    @classmethod
    def _hashed(cls, keys: tuple[str, ...]) -> tuple[str, ...]:
        if not all(_KEY.fullmatch(key) for key in keys):
            message = (
                'expected "sha256:" and 64 hex digits, since keys are kept hashed '
                "(printf %s KEY | sha256sum)"
            )
            raise ValueError(message)
        return keys

    @field_validator("origins")
    @classmethod
    def _exact(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        if not all(_ORIGIN.fullmatch(origin) for origin in origins):
            message = 'expected origins such as "https://shop.example.com", without a path or *'
            raise ValueError(message)
        return origins

    @field_validator("token_keys")
    @classmethod
    def _safe(cls, where: str) -> str:
        if where.startswith("http") and not is_safe(where):
            message = "expected an address with https, or the path of a file"
            raise ValueError(message)
        return where

    @model_validator(mode="after")
    def _known_somehow(self) -> "SourceSettings":
        if self.signed == "botframework":
            if not self.app_ids or self.secrets:
                message = 'expected "app_ids", and no secrets, with signed = "botframework"'
                raise ValueError(message)
            return self
        if bool(self.signed) != bool(self.secrets):
            message = 'expected "signed" and "secrets" together'
            raise ValueError(message)
        if not self.keys and not self.secrets:
            message = "expected keys, or secrets that its requests are signed with"
            raise ValueError(message)
        for secret in self.secrets:
            SCHEMES[self.signed or ""].key(secret.get_secret_value())
        return self


class ListenerSettings(BaseSettings):
    """All of them, each with its unit and default.

    Attributes:
        sources: Who may send. Without any, the listener is open and bound to loopback.
        identifier_hash_key: Keys the hash of e-mails, phone numbers and addresses.
        item_bytes_max: Bytes of one item, after inflating.
        body_bytes_max: Bytes of one batch, as sent and after inflating.
        batch_items_max: Items of one batch.
        depth_max: Levels of nesting of one item.
        keys_max: Keys of one item, on all levels.
        key_length_max: Characters of one key.
        string_length_max: Characters of one string.
        id_length_max: Characters of an id, a name or an identifier's value.
        identifiers_max: Identifiers of one item.
        signals_max: Signals of one item.
        future_max: How far ahead of arrival a touchpoint may say it happened.
        skew_min: How wrong a clock must be before it is corrected.
        skew_spread_max: How much the error may vary between batches and still be a clock's.
        skew_senders_max: Clocks that are watched at once; the one unheard longest is forgotten.
        body_deadline: Longest time for a body to arrive.
        body_rate_min: Bytes a second below which a body is too slow.
        header_bytes_max: Bytes of one header field, and of the request line.
        headers_max: Header fields of one request.
        keep_alive: Idle time after which a connection is closed.
        request_rate_max: Requests a second of one source, in the mean; 0 is without limit.
        request_burst_max: Requests of one source at once, before the rate holds.
        retry_after: What a refused emitter is told when the publisher does not say.
        public_url: The address emitters use, where a proxy stands before the listener; what
            vendors sign begins with it.
        redirects: Addresses that a call may be sent on to, where the listener stands in its way.
        signature_window: How far a signed time may be from now.
        delivery_ids_max: Signed deliveries that are remembered; the oldest is forgotten.
        kafka: The brokers to publish to; None publishes to the embedded log.
        kafka_patience: How long the brokers may take to confirm before the spool takes over.
        spool_bytes_max: What the spool may take on the disk.
        spool_age_max: How old its oldest record may be while more are taken.
        pipeline: The pipeline's own part of the same file; not read here.
        console: The console's; likewise.
    """

    model_config = SettingsConfigDict(
        env_prefix="TOUCHPOINTS_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    sources: tuple[SourceSettings, ...] = ()
    identifier_hash_key: SecretStr | None = Field(default=None, min_length=16)
    item_bytes_max: Count = 1_048_576
    body_bytes_max: Count = 8_388_608
    batch_items_max: Count = 2_500
    depth_max: Annotated[int, Field(ge=4, le=256)] = 32
    keys_max: Count = 512
    key_length_max: Count = 256
    string_length_max: Count = 32_768
    id_length_max: Annotated[int, Field(gt=0, le=256)] = 256
    identifiers_max: Count = 16
    signals_max: Count = 16
    future_max: Duration = timedelta(minutes=5)
    skew_min: Duration = timedelta(seconds=60)
    skew_spread_max: Duration = timedelta(seconds=10)
    skew_senders_max: Count = 10_000
    body_deadline: Duration = timedelta(seconds=15)
    body_rate_min: Annotated[int, Field(ge=0)] = 1_024
    header_bytes_max: Count = 16_384
    headers_max: Count = 64
    keep_alive: Duration = timedelta(seconds=30)
    request_rate_max: Annotated[float, Field(ge=0)] = 0.0
    request_burst_max: Count = 100
    retry_after: Duration = timedelta(seconds=5)
    public_url: str | None = Field(default=None, pattern=r"^https?://[^/\s]+$")
    redirects: tuple[str, ...] = ()
    signature_window: Duration = timedelta(seconds=300)
    delivery_ids_max: Count = 100_000
    kafka: Brokers | None = None
    kafka_patience: Duration = timedelta(seconds=2)
    spool_bytes_max: Count = 1_073_741_824
    spool_age_max: Duration = timedelta(hours=24)
    pipeline: dict[str, Any] = Field(default_factory=dict)
    console: dict[str, Any] = Field(default_factory=dict)

    @field_validator("redirects")
    @classmethod
    def _secure(cls, redirects: tuple[str, ...]) -> tuple[str, ...]:
        if not all(_REDIRECT.fullmatch(address) for address in redirects):
            message = 'expected addresses such as "https://voice.example.com/next", without a query'
            raise ValueError(message)
        return redirects

    @model_validator(mode="after")
    def _agree(self) -> "ListenerSettings":
        names = [source.name for source in self.sources]
        keys = [key for source in self.sources for key in source.keys]
        if len(set(names)) != len(names) or len(set(keys)) != len(keys):
            message = "expected each source's name, and each key, only once"
            raise ValueError(message)
        if self.sources and self.identifier_hash_key is None:
            message = (
                "expected identifier_hash_key (16 characters or more; better in "
                "TOUCHPOINTS_IDENTIFIER_HASH_KEY) where sources are named"
            )
            raise ValueError(message)
        return self

    @property
    def open(self) -> bool:
        """Whether any key is taken, as before anything is configured."""
        return not self.sources

    @property
    def hash_key(self) -> bytes:
        """The key of the personal identifiers' hash."""
        key = self.identifier_hash_key
        return (OPEN_HASH_KEY if key is None else key.get_secret_value()).encode()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is given wins over the environment, and that over the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def load(path: Path | None) -> ListenerSettings:
    """Read the settings.

    Args:
        path: The TOML file; None for defaults and the environment alone.

    Raises:
        SettingsInvalid: The file is missing or not TOML, or a setting is; names each one.
    """
    where = "the environment" if path is None else str(path)
    if path is not None and not path.is_file():
        raise SettingsInvalid([f"{path}: expected a settings file; found none"])

    class FromFile(ListenerSettings):
        model_config = SettingsConfigDict(toml_file=path)

    try:
        return FromFile()
    except UnicodeDecodeError as error:
        raise SettingsInvalid([f"{where}: expected TOML in UTF-8; found {error}"]) from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsInvalid([f"{where}: expected TOML; found {error}"]) from error
    except ValidationError as error:
        raise SettingsInvalid(
            [
                f"{where}: {'.'.join(map(str, one['loc'])) or 'settings'}: {one['msg']}"
                for one in error.errors(include_input=False, include_url=False)
            ]
        ) from error


def check_address(settings: ListenerSettings, host: str) -> str | None:
    """Decide whether the listener may be bound to an address.

    Returns:
        What to say once at the start, or None when there is nothing to say.

    Raises:
        SettingsInvalid: The address can be reached by others and no source is named.
    """
    if not settings.open:
        return None
    try:
        loopback = ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        loopback = host == "localhost"
    if not loopback:
        raise SettingsInvalid(
            [
                f"expected a loopback address (127.0.0.1, ::1 or localhost) while no settings name "
                f"the sources; found {host}. Give --settings FILE with a [[sources]] table for "
                f"each emitter: its name, keys, channel and origins"
            ]
        )
    return (
        f"No source is named, so any write key is taken on {host} and becomes the source's name. "
        f"Give --settings FILE to name sources and to listen on other addresses."
    )
