"""A section of the ``TRUSTED_DEVICES`` setting: options with validators, read lazily and validated once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, ClassVar, Self, cast

from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed

from trusted_devices.conf.validators import Validator

NAME = "TRUSTED_DEVICES"


def option(default: Any, validator: Validator, help_text: str, *, secret: bool = False) -> Any:
    """Return a field of a section. Without a default (``MISSING``) it must be given; a ``secret`` stays out of repr."""
    metadata = {"validator": validator, "help": help_text}
    if isinstance(default, dict):
        return field(default_factory=dict, metadata=metadata)
    return field(default=default, repr=not secret, metadata=metadata)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with the setting. ``unknown`` tells a misspelt key from a bad value."""

    key: str
    message: str
    unknown: bool = False
    hint: str = field(default="", compare=False)

    def __str__(self) -> str:
        suggestion = f" ({self.hint})" if self.unknown and self.hint else ""
        return f"{self.key} {self.message}{suggestion}"


class Section:
    """Base of a frozen dataclass whose fields are made by :func:`option`.

    ``key`` is the key of a section within the setting. There ``None`` stands for an option that is not given.
    """

    __slots__ = ()
    key: ClassVar[str | None] = None

    @classmethod
    def raw(cls) -> Any:
        """Return what the site's settings hold for this section, not validated yet."""
        raise NotImplementedError

    @classmethod
    def get(cls) -> Self:
        """Return the site's options, the same object until the setting changes.

        Raises ``ImproperlyConfigured`` naming all that is wrong with them.
        """
        found = _read.get(cls)
        if found is None:
            found = _read[cls] = cls._validated()
        return cast("Self", found)

    @classmethod
    def name(cls) -> str:
        """Return what to call the section in a message."""
        return NAME if cls.key is None else f"{NAME}[{cls.key!r}]"

    @classmethod
    def options(cls) -> tuple[Field[Any], ...]:
        """Return the options in order, for checks and documentation."""
        return fields(cast("Any", cls))

    @classmethod
    def problems(cls, raw: Any) -> Iterator[Problem]:
        """Yield everything that is wrong with ``raw``, a candidate for the section."""
        if not isinstance(raw, Mapping):
            yield Problem(cls.name(), "must be a dict")
            return
        known = {option.name: option for option in cls.options()}
        for key in raw:
            if key not in known:
                yield Problem(str(key), "is not an option", unknown=True, hint=_similar(str(key), known))
        given = cls.given(raw)
        wrong = [(name, message) for name, option in known.items() if (message := _wrong(option, given))]
        for name, message in wrong or cls.build(given).contradictions():
            yield Problem(name, message, hint=known[name].metadata["help"])

    @classmethod
    def given(cls, raw: Mapping[Any, Any]) -> dict[str, Any]:
        """Return what ``raw`` says of the options that there are."""
        known = {option.name for option in cls.options()}
        return {key: raw[key] for key in raw if key in known and (cls.key is None or raw[key] is not None)}

    @classmethod
    def build(cls, given: Mapping[str, Any]) -> Self:
        """Return the section with the good values ``given`` for some of its options."""
        return cls(**given)

    def contradictions(self) -> Iterable[tuple[str, str]]:
        """Return options, each good by itself, that cannot be right together: name and what is wrong."""
        return ()

    @classmethod
    def _validated(cls) -> Self:
        raw = cls.raw()
        wrong = list(map(str, cls.problems(raw)))
        if wrong:
            raise ImproperlyConfigured(f"{cls.name()}: " + "; ".join(wrong) + ".")
        return cls.build(cls.given(raw))


_read: dict[type[Section], Section] = {}


def read_anew(*, setting: str = NAME, **_: Any) -> None:
    """Read the setting anew at its next use."""
    if setting == NAME:
        _read.clear()


def _wrong(option: Field[Any], given: Mapping[str, Any]) -> str | None:
    if option.name in given:
        message: str | None = option.metadata["validator"](given[option.name])
        return message
    return "is missing" if option.default is MISSING and option.default_factory is MISSING else None


def _similar(key: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(key.upper(), known, n=1)
    return f"Did you mean {close[0]!r}?" if close else ""


setting_changed.connect(read_anew, dispatch_uid="trusted_devices.conf")
