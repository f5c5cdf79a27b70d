"""Errors of the pipeline.

Exception
└── PipelineError           whatever the pipeline raises on purpose
    ├── CatalogueInvalid    the people who wrote the catalogue have to mend it: a list of `Problem`s
    └── SettingsInvalid     the settings file, the environment or an option: every problem at once
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One thing that is wrong, or odd, in a file that people write.

    Attributes:
        file: The file, as the caller named its directory.
        line: The line, from 1; None where the file as a whole is meant, or is missing.
        message: What was expected and what was found, without a full stop at the end.
        suggestion: The word that was probably meant; None where nothing comes close.
    """

    file: str
    line: int | None
    message: str
    suggestion: str | None = None

    def __str__(self) -> str:
        """`seeds/rules.toml:3: unknown key "gp". Did you mean "gap"?`."""
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        hint = "" if self.suggestion is None else f'. Did you mean "{self.suggestion}"?'
        return f"{place}: {self.message}{hint}"


class PipelineError(Exception):
    """The root: what the pipeline raises on purpose."""


class CatalogueInvalid(PipelineError):
    """The catalogue cannot be used; every problem that was found stands in `problems`.

    Attributes:
        problems: By file and line; never empty. The error's text is one line for each.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda one: (one.file, one.line or 0)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class SettingsInvalid(PipelineError):
    """The settings cannot be used; nothing is started.

    Attributes:
        problems: One sentence each: where, what was expected, what was found.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))
