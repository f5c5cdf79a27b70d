"""The pipeline's settings: the tables `[kafka]`, `[pipeline]` and `[console]` of the file.

The same file as the listeners', whose other settings are not looked at here. The command line
stands before the environment (`TOUCHPOINTS_KAFKA__SASL_PASSWORD`), and that before the file.
"""

import os
import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from pipeline.catalogue.durations import Duration, duration_of
from pipeline.errors import SettingsInvalid
from pipeline.passwords import problem_of
from schemas.brokers import Brokers

PREFIX: Final = "TOUCHPOINTS_"
"""Begins the name of every setting in the environment."""

Count = Annotated[int, Field(gt=0)]


class WorkerSettings(BaseModel):
    """What a worker on Kafka may be told, each with its unit and default.

    Attributes:
        batch_records_max: Records of one partition that are processed, and committed, at once.
        session_timeout: Silence after which Kafka takes a worker for dead and gives its partitions
            to others. Shorter is a faster take-over; longer forgives longer pauses.
        commit_timeout: How long a commit may take before the worker gives it up.
        take_over_timeout: How long taking partitions over, with all their states, may take; a
            million states take some 10 s.
        unpacked_states_max: States of one partition that stay unpacked between batches. An unpacked
            one takes some ten times the memory of a packed one, and saves its unpacking.
        watching: Whether votes are counted and alerts raised; the same for all workers of a group.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    batch_records_max: Count = 5_000
    session_timeout: Duration = duration_of("45s")
    commit_timeout: Duration = duration_of("30s")
    take_over_timeout: Duration = duration_of("90s")
    unpacked_states_max: Count = 20_000
    watching: bool = True


class ConsoleUser(BaseModel):
    """Somebody who may log in to the console.

    Attributes:
        name: What they log in by.
        role: `viewer` sees sums; `operator` also single customers' journeys.
        password: What `touchpoints console --hash-password` prints.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=64)
    role: Literal["viewer", "operator"]
    password: str

    @field_validator("password")
    @classmethod
    def _hashed(cls, password: str) -> str:
        if (problem := problem_of(password)) is not None:
            raise ValueError(problem)
        return password


class ConsoleSettings(BaseModel):
    """Who may look at the console, by which names it is reached, and whom it asks.

    Attributes:
        users: Who may log in. Without any, nobody has to, and it stays on loopback.
        hosts: Names by which browsers reach it, beside loopback's.
        operations: Operations ports of listeners and workers that are asked how they stand, such
            as `http://10.0.0.5:8081`. Not for the console of `up`, which is told.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    users: tuple[ConsoleUser, ...] = ()
    hosts: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()

    @field_validator("operations")
    @classmethod
    def _addresses(cls, operations: tuple[str, ...]) -> tuple[str, ...]:
        for one in operations:
            parts = urlsplit(one)
            if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
                message = f"expected an address such as http://10.0.0.5:8081; found {one!r}"
                raise ValueError(message)
        return tuple(one.rstrip("/") for one in operations)


class PipelineSettings(BaseSettings):
    """The tables that the pipeline reads.

    Attributes:
        kafka: The brokers; None where the embedded log is used.
        pipeline: The workers' own.
        console: The console's.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="ignore", frozen=True
    )

    kafka: Brokers | None = None
    pipeline: WorkerSettings = WorkerSettings()
    console: ConsoleSettings = ConsoleSettings()

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


def load(path: Path | None, bootstrap_servers: str | None = None) -> PipelineSettings:
    """Read the settings.

    Args:
        path: The TOML file; None for defaults and the environment alone.
        bootstrap_servers: What `--bootstrap-servers` says; the rest of `[kafka]` stays as it is.

    Raises:
        SettingsInvalid: The file is missing or not TOML, or a setting is wrong; names each one.
    """
    where = "the environment" if path is None else str(path)
    if path is not None and not path.is_file():
        raise SettingsInvalid([f"{path}: expected a settings file; found none"])

    class FromFile(PipelineSettings):
        model_config = SettingsConfigDict(toml_file=path)

    given = {} if bootstrap_servers is None else {"kafka": {"bootstrap_servers": bootstrap_servers}}
    try:
        return FromFile(**given)  # type: ignore[arg-type]  # merged with the file before validation
    except UnicodeDecodeError as error:
        raise SettingsInvalid([f"{where}: expected TOML in UTF-8; found {error}"]) from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsInvalid([f"{where}: expected TOML; found {error}"]) from error
    except SettingsError as error:
        raise SettingsInvalid([f"the environment: {error}"]) from error
    except ValidationError as error:
        option = bootstrap_servers is not None
        raise SettingsInvalid(
            [_told(one, where, option) for one in error.errors(include_url=False)]
        ) from error


def _told(problem: ErrorDetails, where: str, option: bool) -> str:
    """One of pydantic's findings in a sentence: where, what was expected, what was found."""
    location = tuple(map(str, problem["loc"]))
    variable = PREFIX + "__".join(location).upper()
    if option and location == ("kafka", "bootstrap_servers"):
        return f"--bootstrap-servers: {_finding(problem, location)}"
    if variable in {name.upper() for name in os.environ}:
        return f"{variable}: {_finding(problem, location)}"
    return f"{where}: {'.'.join(location)}: {_finding(problem, location)}"


def _finding(problem: ErrorDetails, location: tuple[str, ...]) -> str:
    kind, text = problem["type"], problem["msg"].removeprefix("Value error, ")
    if kind == "missing":
        return "expected a value; found none"
    if kind == "extra_forbidden":
        table = ConsoleUser if location[1] == "users" else _TABLES[location[0]]
        names = table.model_fields
        near = get_close_matches(location[-1], names, n=1)
        hint = f'. Did you mean "{near[0]}"?' if near else ""
        return f"expected one of {', '.join(names)}; found {location[-1]}{hint}"
    if kind == "value_error":
        return text
    expected = _WORDS.get(kind) or text.removeprefix("Input should be ")
    secret = "password" in location[-1]
    return f"expected {expected}; found {'a secret' if secret else repr(problem['input'])}"


_WORDS: Final = {
    "model_type": "a table",
    "path_type": "a path",
    "string_type": "text",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "int_type": "a whole number",
}
"""What pydantic says with more words, or with its own."""

_TABLES: Final[dict[str, type[BaseModel]]] = {
    "kafka": Brokers,
    "pipeline": WorkerSettings,
    "console": ConsoleSettings,
}
