"""Modular exponentiation: the one expensive step of SRP, and the one that handles secret exponents.

With the ``srp`` extra (gmpy2) it runs on GMP's ``mpz_powm_sec``, whose operations and memory accesses depend
on the size of the exponent only. Python's own ``pow`` makes no such promise and is several times slower; it
keeps the package working without a compiled dependency.
"""

from functools import cache
from typing import Literal, Protocol

Implementation = Literal["gmpy2", "python"]


class PowMod(Protocol):
    """``base ** exponent % modulus``; whatever exponentiates in this package takes one as ``powmod``."""

    def __call__(self, base: int, exponent: int, modulus: int, /) -> int: ...


@cache
def implementation() -> Implementation:
    """Which implementation :func:`powmod` uses in this process: ``"gmpy2"`` if it can be imported."""
    try:
        import gmpy2  # noqa: F401
    except ImportError:
        return "python"
    return "gmpy2"


def gmpy2_powmod(base: int, exponent: int, modulus: int, /) -> int:
    """GMP's side-channel-resistant form. Raises ImportError without gmpy2, else as :func:`powmod`."""
    from gmpy2 import powmod_sec

    _require_supported(exponent, modulus)
    return int(powmod_sec(base, exponent, modulus))


def python_powmod(base: int, exponent: int, modulus: int, /) -> int:
    """The built-in ``pow``; its running time depends on the exponent. Raises as :func:`powmod`."""
    _require_supported(exponent, modulus)
    return pow(base, exponent, modulus)


def powmod(base: int, exponent: int, modulus: int, /) -> int:
    """``base ** exponent % modulus`` with the best implementation at hand; ``base`` may be negative.

    Raises ValueError unless ``exponent`` is positive and ``modulus`` odd and positive: GMP's form demands it,
    and both implementations ask it so that they are interchangeable.
    """
    chosen = gmpy2_powmod if implementation() == "gmpy2" else python_powmod
    return chosen(base, exponent, modulus)


def _require_supported(exponent: int, modulus: int) -> None:
    if exponent < 1 or modulus < 1 or modulus % 2 == 0:
        raise ValueError("The exponent must be positive, the modulus odd and positive.")
