import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.crypto.known_answers import vectors
from trusted_devices.crypto.encoding import encode_base64, pad
from trusted_devices.crypto.errors import Base64Error, LengthError, SaltError, TextError, VerifierError
from trusted_devices.crypto.modexp import gmpy2_powmod, python_powmod
from trusted_devices.crypto.srp import N, password_hash, user_identity
from trusted_devices.crypto.verifier import (
    DeviceSecret,
    SrpVerifier,
    decoy_verifier,
    lasting_salt,
    make_device_secret,
    make_user_verifier,
    parse_device_verifier,
)

ALICE = user_identity(pool_name="AbC", user_id="alice")
GOOD_SALT = encode_base64(pad(2**127 + 5))
GOOD_VERIFIER = encode_base64(pad(N - 5))


@pytest.mark.parametrize("implementation", [gmpy2_powmod, python_powmod])
def test_a_device_secret_is_the_one_that_the_real_clients_make(implementation):
    for vector in vectors("device_verifier"):
        inputs, outputs = vector["inputs"], vector["outputs"]
        made = make_device_secret(
            device_group_key=inputs["device_group_key"],
            device_key=inputs["device_key"],
            random_bytes={
                40: bytes.fromhex(inputs["random40_hex"]),
                16: bytes.fromhex(inputs["random16_hex"]),
            }.__getitem__,
            powmod=implementation,
        )
        config = {name: outputs[name] for name in ("Salt", "PasswordVerifier")}
        assert made.password == outputs["device_password"], vector["id"]
        assert made.verifier.to_config() == config, vector["id"]
        read = parse_device_verifier(salt=config["Salt"], password_verifier=config["PasswordVerifier"])
        assert read == made.verifier, vector["id"]


def test_a_user_verifier_is_the_one_behind_the_known_answers():
    for vector in vectors("user_srp"):
        inputs = vector["inputs"]
        salt = int(inputs["salt_hex"], 16)
        made = make_user_verifier(
            pool_name=inputs["pool_id"].split("_")[1],
            user_id=inputs["username"],
            password=inputs["password"],
            salt=salt,
        )
        assert made.salt_hex == inputs["salt_hex"], vector["id"]
        assert made.verifier == int(vector["server"]["verifier_hex"], 16), vector["id"]


def test_every_device_secret_is_new_and_long():
    first, second = (make_device_secret(device_group_key="-AAAAAAAA", device_key="k") for _ in range(2))
    assert first.password != second.password
    assert first.verifier.salt != second.verifier.salt
    assert len(first.password) == 56
    assert len(base64.b64decode(first.password)) == 40


def test_a_password_without_a_utf8_form_makes_no_verifier():
    with pytest.raises(TextError):
        make_user_verifier(pool_name="AbC", user_id="alice", password="\ud800", salt=1)


@settings(deadline=None)
@given(salt=st.integers(1, 2**512 - 1), verifier=st.integers(2, N - 1))
def test_a_registration_survives_the_wire(salt, verifier):
    registered = SrpVerifier(salt=salt, verifier=verifier)
    config = registered.to_config()
    assert parse_device_verifier(salt=config["Salt"], password_verifier=config["PasswordVerifier"]) == (registered)
    assert int(registered.salt_hex, 16) == salt
    assert not registered.salt_hex.startswith("0")


def test_superfluous_zero_bytes_are_read_as_the_same_integer():
    salt = encode_base64(b"\0\0\0\7")
    assert parse_device_verifier(salt=salt, password_verifier=GOOD_VERIFIER).salt == 7


@pytest.mark.parametrize(
    ("salt", "error", "message"),
    [
        ("", SaltError, "out of range"),
        (encode_base64(b"\0"), SaltError, "out of range"),
        (encode_base64(bytes(65)), SaltError, "out of range"),
        (encode_base64(pad(2**512)), SaltError, "out of range"),
        (encode_base64(b"\x80"), SaltError, "Salt is negative"),
        (encode_base64(b"\xff" * 16), SaltError, "Salt is negative"),
        (encode_base64(bytes(66)), LengthError, "longer than 65 bytes"),
        (encode_base64(bytes(1_000_000)), LengthError, "longer than 65 bytes"),
        ("ab", Base64Error, "base64"),
        ("?" * 24, Base64Error, "base64"),
    ],
)
def test_a_bad_salt_is_refused(salt, error, message):
    with pytest.raises(error, match=message):
        parse_device_verifier(salt=salt, password_verifier=GOOD_VERIFIER)


@pytest.mark.parametrize(
    ("verifier", "error", "message"),
    [
        ("", VerifierError, "out of range"),
        (encode_base64(b"\0"), VerifierError, "out of range"),
        (encode_base64(b"\1"), VerifierError, "out of range"),
        (encode_base64(pad(N)), VerifierError, "out of range"),
        (encode_base64(pad(N + 2)), VerifierError, "out of range"),
        (encode_base64(b"\x80" + bytes(383)), VerifierError, "PasswordVerifier is negative"),
        (encode_base64(bytes(386)), LengthError, "longer than 385 bytes"),
        (encode_base64(bytes(1_000_000)), LengthError, "longer than 385 bytes"),
        ("-_-_", Base64Error, "base64"),
        (base64.b64encode(b"7" * 40).decode() + "\n", Base64Error, "base64"),
    ],
)
def test_a_bad_password_verifier_is_refused(verifier, error, message):
    with pytest.raises(error, match=message):
        parse_device_verifier(salt=GOOD_SALT, password_verifier=verifier)


@pytest.mark.parametrize("verifier", [2, N - 1])
def test_the_smallest_and_the_largest_verifier_are_taken(verifier):
    parsed = parse_device_verifier(salt=GOOD_SALT, password_verifier=encode_base64(pad(verifier)))
    assert parsed.verifier == verifier


def test_a_lasting_salt_is_the_same_for_the_same_name_and_key_alone():
    salt = lasting_salt(key=b"server", identity=ALICE)
    assert lasting_salt(key=b"server", identity=ALICE) == salt
    assert lasting_salt(key=b"server", identity=user_identity(pool_name="AbC", user_id="bob")) != salt
    assert lasting_salt(key=b"other", identity=ALICE) != salt
    assert salt.bit_length() <= 128
    assert lasting_salt(key=b"server", identity=user_identity(pool_name="AbC", user_id="\ud800"))


def test_a_decoy_is_another_one_each_time():
    first, again = (decoy_verifier(salt=5) for _ in range(2))
    assert first.salt == again.salt == 5
    assert first.verifier != again.verifier


def test_the_salt_and_the_identity_both_change_the_password_hash():
    hashes = {
        password_hash(identity=identity, password="p", salt=salt)
        for identity in (ALICE, user_identity(pool_name="AbC", user_id="bob"))
        for salt in (1, 2)
    }
    assert len(hashes) == 4


def test_passwords_and_verifiers_stay_out_of_every_repr():
    registered = SrpVerifier(salt=123456789, verifier=987654321)
    assert repr(registered) == "SrpVerifier()"
    assert repr(DeviceSecret(password="a secret", verifier=registered)) == ("DeviceSecret(verifier=SrpVerifier())")
