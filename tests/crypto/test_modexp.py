import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trusted_devices.crypto import modexp
from trusted_devices.crypto.modexp import gmpy2_powmod, implementation, powmod, python_powmod

both = pytest.mark.parametrize("function", [gmpy2_powmod, python_powmod, powmod])


@pytest.fixture
def fresh_choice():
    implementation.cache_clear()
    yield
    implementation.cache_clear()


@both
@settings(deadline=None)
@given(
    base=st.integers(-(2**3072), 2**3072),
    exponent=st.integers(1, 2**256),
    modulus=st.integers(0, 2**400).map(lambda i: 2 * i + 1),
)
def test_both_implementations_agree_with_the_definition(function, base, exponent, modulus):
    assert function(base, exponent, modulus) == pow(base, exponent, modulus)


@both
def test_the_result_is_a_plain_integer(function):
    assert type(function(2, 3, 7)) is int


@both
@pytest.mark.parametrize(("exponent", "modulus"), [(0, 7), (-1, 7), (3, 8), (3, 0), (3, -7)], ids=str)
def test_what_the_constant_time_form_cannot_do_is_refused_by_both(function, exponent, modulus):
    with pytest.raises(ValueError, match="exponent must be positive"):
        function(2, exponent, modulus)


@pytest.mark.usefixtures("fresh_choice")
def test_gmpy2_is_used_where_it_is_installed(monkeypatch):
    monkeypatch.setattr(modexp, "python_powmod", None)
    assert implementation() == "gmpy2"
    assert powmod(2, 10, 1001) == 23


@pytest.mark.usefixtures("fresh_choice")
def test_without_gmpy2_the_built_in_power_serves(monkeypatch):
    monkeypatch.setitem(sys.modules, "gmpy2", None)
    assert implementation() == "python"
    assert powmod(2, 10, 1001) == 23
    with pytest.raises(ImportError):
        gmpy2_powmod(2, 10, 1001)
