import base64
from datetime import datetime

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.crypto.known_answers import constants, vectors
from trusted_devices.crypto import srp
from trusted_devices.crypto.encoding import encode_base64, format_timestamp, parse_timestamp, to_hex
from trusted_devices.crypto.errors import (
    Base64Error,
    ClaimError,
    HexError,
    LengthError,
    PoolIdError,
    PublicValueError,
    SrpError,
    TextError,
    VerifierError,
)
from trusted_devices.crypto.modexp import gmpy2_powmod, powmod, python_powmod
from trusted_devices.crypto.srp import (
    Claim,
    ClientSession,
    G,
    K,
    N,
    ServerEphemeral,
    claim_message,
    claim_signature,
    device_identity,
    draw_positive,
    parse_srp_a,
    pool_name_of,
    scramble,
    server_ephemeral,
    server_public,
    server_session_key,
    user_identity,
    verify_claim,
)
from trusted_devices.crypto.verifier import make_verifier
from trusted_devices.exceptions import TrustedDevicesError

SIGN_INS = vectors("user_srp") + vectors("device_srp")
TIMESTAMP = "Tue Jan 6 03:04:05 UTC 2026"
ALICE = user_identity(pool_name="AbC", user_id="alice")


class CountingPowMod:
    """The real function, with a count of its calls."""

    def __init__(self):
        self.calls = 0

    def __call__(self, base, exponent, modulus, /):
        self.calls += 1
        return powmod(base, exponent, modulus)


@pytest.fixture
def counted():
    return CountingPowMod()


def identity_of(vector):
    inputs = vector["inputs"]
    if "device_password" in inputs:
        return device_identity(device_group_key=inputs["device_group_key"], device_key=inputs["device_key"])
    return user_identity(pool_name=pool_name_of(pool_id=inputs["pool_id"]), user_id=inputs["username"])


def password_of(vector):
    return vector["inputs"].get("device_password") or vector["inputs"]["password"]


def client_of(vector, **options):
    secret = bytes.fromhex(vector["inputs"]["a_hex"])
    return ClientSession.start(random_bytes={128: secret}.__getitem__, **options)


def ephemeral_of(vector, **options):
    server = vector["server"]
    return server_ephemeral(
        verifier=int(server["verifier_hex"], 16),
        client_public=parse_srp_a(vector["outputs"]["SRP_A"]),
        random_bytes=lambda size: int(server["b_hex"], 16).to_bytes(size, "big"),
        **options,
    )


def verify(vector, powmod=None, **changes):
    """Verify what the vector's client answers, with ``changes``."""
    claim = claim_of(vector, **changes)
    said = Claim(**{name: claim.pop(name) for name in ("secret_block", "timestamp", "signature")})
    verify_claim(said, **claim, **({"powmod": powmod} if powmod else {}))


def claim_of(vector, **changes):
    """What the server knows when the vector's client answers."""
    return {
        "verifier": int(vector["server"]["verifier_hex"], 16),
        "client_public": parse_srp_a(vector["outputs"]["SRP_A"]),
        "ephemeral": ephemeral_of(vector),
        "identity": identity_of(vector),
        "secret_block": base64.b64decode(vector["inputs"]["secret_block_b64"]),
        "timestamp": vector["outputs"]["TIMESTAMP"],
        "signature": vector["outputs"]["PASSWORD_CLAIM_SIGNATURE"],
    } | changes


ONE = SIGN_INS[0]
implementations = pytest.mark.parametrize("implementation", [gmpy2_powmod, python_powmod])


@pytest.mark.parametrize("name", ["user_srp", "device_srp", "device_verifier"])
def test_the_group_is_the_one_that_the_clients_use(name):
    published = constants(name)
    assert int(published["N_hex"], 16) == N
    assert int(published["g_hex"], 16) == G
    assert f"{K:x}" == published["k_hex"]
    assert N.bit_length() == 3072


# Known answers


def signed(vector, outputs, *, session=None, **options):
    """What our client sends as its claim."""
    inputs = vector["inputs"]
    return (session or client_of(vector)).sign(
        identity=identity_of(vector),
        password=password_of(vector),
        salt=inputs["salt_hex"],
        srp_b=inputs["srp_b_hex"],
        secret_block=inputs["secret_block_b64"],
        timestamp=outputs["TIMESTAMP"],
        **options,
    )


def test_our_client_puts_on_the_wire_what_the_real_clients_do():
    for vector in SIGN_INS:
        inputs, outputs = vector["inputs"], vector["outputs"]
        assert client_of(vector).srp_a == outputs["SRP_A"], vector["id"]
        assert identity_of(vector) == inputs["srp_identity"], vector["id"]
        assert format_timestamp(datetime.fromisoformat(inputs["utc_time"])) == outputs["TIMESTAMP"], vector["id"]
        assert signed(vector, outputs) == outputs["PASSWORD_CLAIM_SIGNATURE"], vector["id"]


def test_our_server_rebuilds_every_value_without_the_password():
    for vector in SIGN_INS:
        outputs = vector["outputs"]
        verifier, client_public = int(vector["server"]["verifier_hex"], 16), parse_srp_a(outputs["SRP_A"])
        ephemeral = ephemeral_of(vector)
        assert ephemeral.srp_b == vector["inputs"]["srp_b_hex"], vector["id"]
        u = scramble(client_public=client_public, server_public=ephemeral.public)
        assert to_hex(u) == outputs["u_hex"].lstrip("0"), vector["id"]
        key = server_session_key(verifier=verifier, client_public=client_public, ephemeral=ephemeral)
        assert key.hex() == outputs["hkdf_key_hex"], vector["id"]
        message = claim_message(
            identity=identity_of(vector),
            secret_block=base64.b64decode(vector["inputs"]["secret_block_b64"]),
            timestamp=outputs["TIMESTAMP"],
        )
        signature = encode_base64(claim_signature(session_key=key, message=message))
        assert signature == outputs["PASSWORD_CLAIM_SIGNATURE"], vector["id"]


def is_accepted(vector):
    try:
        verify(vector)
    except ClaimError:
        return False
    return True


def test_our_server_accepts_the_real_clients_claims():
    for vector in SIGN_INS:
        assert is_accepted(vector), vector["id"]
        at = datetime.fromisoformat(vector["inputs"]["utc_time"])
        assert parse_timestamp(vector["outputs"]["TIMESTAMP"]) == at, vector["id"]


@implementations
@pytest.mark.parametrize("vector", [SIGN_INS[0], SIGN_INS[-1]], ids=["user", "device"])
def test_both_implementations_of_the_power_give_the_known_answers(implementation, vector):
    inputs, outputs = vector["inputs"], vector["outputs"]
    session = client_of(vector, powmod=implementation)
    signature = signed(vector, outputs, session=session, powmod=implementation)
    assert (session.srp_a, signature) == (outputs["SRP_A"], outputs["PASSWORD_CLAIM_SIGNATURE"])
    assert ephemeral_of(vector, powmod=implementation).srp_b == inputs["srp_b_hex"]
    verify(vector, powmod=implementation)


def test_our_client_reads_salt_and_srp_b_as_integers_like_javascript():
    for vector in vectors("noncanonical_hex"):
        expected = vector["outputs_by_client"]["amazon-cognito-identity-js"]
        assert signed(vector, expected) == expected["PASSWORD_CLAIM_SIGNATURE"], vector["id"]


def test_the_salt_as_we_send_it_is_one_on_which_all_clients_agree():
    for vector in vectors("noncanonical_hex"):
        salt = vector["inputs"]["salt_hex"]
        sent = to_hex(int(salt, 16))
        signatures = {outputs["PASSWORD_CLAIM_SIGNATURE"] for outputs in vector["outputs_by_client"].values()}
        assert (len(signatures) == 1) is vector["clients_agree"], vector["id"]
        if salt.lower() == sent:
            assert vector["clients_agree"], vector["id"]
        else:
            assert len(sent) < len(salt), vector["id"]


# Our client against our server

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def random_bytes_from(data):
    return lambda size: data.draw(st.binary(min_size=size, max_size=size).filter(any))


@settings(max_examples=25, deadline=None)
@given(data=st.data(), first=texts, second=texts, password=texts, block=st.binary(max_size=200))
def test_a_client_with_the_password_always_convinces_the_server(data, first, second, password, block):
    identity = device_identity(device_group_key=first, device_key=second)
    random_bytes = random_bytes_from(data)
    registered = make_verifier(identity=identity, password=password, random_bytes=random_bytes)
    client = ClientSession.start(random_bytes=random_bytes)
    client_public = parse_srp_a(client.srp_a)
    ephemeral = server_ephemeral(verifier=registered.verifier, client_public=client_public, random_bytes=random_bytes)
    signature = client.sign(
        identity=identity,
        password=password,
        salt=registered.salt_hex,
        srp_b=ephemeral.srp_b,
        secret_block=encode_base64(block),
        timestamp=TIMESTAMP,
    )
    verify_claim(
        Claim(secret_block=block, timestamp=TIMESTAMP, signature=signature),
        verifier=registered.verifier,
        client_public=client_public,
        ephemeral=ephemeral,
        identity=identity,
    )


@settings(max_examples=25, deadline=None)
@given(right=texts, wrong=texts)
def test_a_wrong_password_never_convinces_the_server(right, wrong):
    assume(right != wrong)
    registered = make_verifier(identity=ALICE, password=right)
    client = ClientSession.start()
    ephemeral = server_ephemeral(verifier=registered.verifier, client_public=client.public)
    signature = client.sign(
        identity=ALICE,
        password=wrong,
        salt=registered.salt_hex,
        srp_b=ephemeral.srp_b,
        secret_block="",
        timestamp=TIMESTAMP,
    )
    with pytest.raises(ClaimError):
        verify_claim(
            Claim(secret_block=b"", timestamp=TIMESTAMP, signature=signature),
            verifier=registered.verifier,
            client_public=client.public,
            ephemeral=ephemeral,
            identity=ALICE,
        )


def test_two_sessions_share_nothing():
    assert ClientSession.start().srp_a != ClientSession.start().srp_a
    first, second = (server_ephemeral(verifier=12345, client_public=67890) for _ in range(2))
    assert first.srp_b != second.srp_b


# What a claim is bound to


@pytest.mark.parametrize(
    "change",
    [
        {"identity": device_identity(device_group_key="-AAAAAAAA", device_key="us-east-1_0")},
        {"secret_block": b"another block"},
        {"timestamp": TIMESTAMP},
        {"client_public": 5},
        {"verifier": 5},
        {"ephemeral": ServerEphemeral(private=5, public=7)},
        {"signature": encode_base64(bytes(32))},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_claim_is_good_for_nothing_else(change):
    verify(ONE)
    with pytest.raises(ClaimError) as caught:
        verify(ONE, **change)
    assert caught.value.code == "wrong_claim"


@pytest.mark.parametrize("position", [0, 31])
def test_one_wrong_bit_spoils_a_signature(position):
    signature = bytearray(base64.b64decode(ONE["outputs"]["PASSWORD_CLAIM_SIGNATURE"]))
    signature[position] ^= 1
    with pytest.raises(ClaimError):
        verify(ONE, signature=encode_base64(bytes(signature)))


# Refusals, none of which may cost an exponentiation


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", HexError),
        ("-5", HexError),
        ("0x5", HexError),
        ("not hex", HexError),
        ("5" * 769, LengthError),
        ("f" * 1_000_000, LengthError),
        ("0", PublicValueError),
        ("0" * 768, PublicValueError),
        (f"{N:x}", PublicValueError),
    ],
    ids=lambda value: f"{value:.8}" if isinstance(value, str) else value.__name__,
)
def test_a_bad_srp_a_is_refused(text, error):
    with pytest.raises(error, match=r"^SRP_A "):
        parse_srp_a(text)


@pytest.mark.parametrize("text", ["1", "AbCdEf", "00ff", "f" * 768], ids=lambda text: text[:8])
def test_a_short_odd_or_full_srp_a_is_read(text):
    assert parse_srp_a(text) == int(text, 16)


@pytest.mark.parametrize("client_public", [0, N, 2 * N])
def test_the_server_never_uses_an_a_that_fixes_the_key(client_public, counted):
    with pytest.raises(PublicValueError) as caught:
        server_ephemeral(verifier=5, client_public=client_public, powmod=counted)
    assert caught.value.code == "unsafe_public_value"
    with pytest.raises(PublicValueError):
        server_session_key(
            verifier=5,
            client_public=client_public,
            ephemeral=ServerEphemeral(private=5, public=5),
            powmod=counted,
        )
    assert counted.calls == 0


def test_the_server_never_uses_its_own_b_of_zero(counted):
    with pytest.raises(PublicValueError, match="SRP_B"):
        server_session_key(verifier=5, client_public=5, ephemeral=ServerEphemeral(private=5, public=N), powmod=counted)
    assert counted.calls == 0


@pytest.mark.parametrize("verifier", [-5, 0, 1, N, N + 5])
def test_the_server_never_uses_a_verifier_that_fixes_the_key(verifier, counted):
    with pytest.raises(VerifierError) as caught:
        server_public(verifier=verifier, private=5, powmod=counted)
    assert caught.value.code == "unsafe_verifier"
    with pytest.raises(VerifierError):
        server_session_key(
            verifier=verifier,
            client_public=5,
            ephemeral=ServerEphemeral(private=5, public=5),
            powmod=counted,
        )
    assert counted.calls == 0


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"signature": ""}, LengthError),
        ({"signature": encode_base64(bytes(31))}, LengthError),
        ({"signature": encode_base64(bytes(33))}, LengthError),
        ({"signature": encode_base64(bytes(1_000_000))}, LengthError),
        ({"signature": "?" * 44}, Base64Error),
        ({"timestamp": "\ud800"}, TextError),
        ({"identity": srp.Identity("\ud800")}, TextError),
        ({"client_public": N}, PublicValueError),
        ({"verifier": 1}, VerifierError),
    ],
)
def test_the_server_refuses_a_malformed_claim(change, error, counted):
    with pytest.raises(error):
        verify(ONE, powmod=counted, **change)
    assert counted.calls == 0


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"srp_b": ""}, HexError),
        ({"srp_b": "-1"}, HexError),
        ({"srp_b": "f" * 771}, LengthError),
        ({"srp_b": "0"}, PublicValueError),
        ({"srp_b": f"00{N:x}"}, PublicValueError),
        ({"salt": "salt"}, HexError),
        ({"salt": "1" * 131}, LengthError),
        ({"secret_block": "not base64"}, Base64Error),
        ({"secret_block": "A" * 1_000_000}, LengthError),
        ({"password": "\ud800"}, TextError),
        ({"identity": srp.Identity("\ud800")}, TextError),
        ({"timestamp": "\ud800"}, TextError),
    ],
)
def test_our_client_refuses_a_malformed_challenge(change, error, counted):
    challenge = {
        "identity": ALICE,
        "password": "a password",
        "salt": "abcdef",
        "srp_b": "123456",
        "secret_block": "AAAA",
        "timestamp": TIMESTAMP,
    }
    session = ClientSession.start()
    with pytest.raises(error):
        session.sign(**challenge | change, powmod=counted)
    assert counted.calls == 0


def test_an_honest_sign_in_costs_the_server_three_exponentiations(counted):
    ephemeral = ephemeral_of(ONE, powmod=counted)
    assert counted.calls == 1
    verify(ONE, powmod=counted, ephemeral=ephemeral)
    assert counted.calls == 3


# Draws


def test_the_server_draws_again_when_b_would_be_zero():
    verifier, answers = 12345, iter([-K * 12345 % N, 8])
    ephemeral = server_ephemeral(
        verifier=verifier, client_public=5, powmod=lambda base, exponent, modulus, /: next(answers)
    )
    assert ephemeral.public == (K * verifier + 8) % N


def test_the_server_draws_again_when_u_would_be_zero(monkeypatch):
    # No input with this hash is known, so the hash has to be replaced.
    answers = iter([0, 1])
    monkeypatch.setattr(srp, "scramble", lambda **public_values: next(answers))
    secrets_drawn = iter([bytes([1] * 32), bytes([2] * 32)])
    ephemeral = server_ephemeral(verifier=5, client_public=5, random_bytes=lambda size: next(secrets_drawn))
    assert ephemeral.private == int.from_bytes([2] * 32)


def test_neither_half_uses_a_u_of_zero(monkeypatch, counted):
    session = ClientSession.start()
    monkeypatch.setattr(srp, "scramble", lambda **public_values: 0)
    with pytest.raises(PublicValueError, match="hash of both public values"):
        session.session_key(identity=ALICE, password="p", salt=5, server_public=5, powmod=counted)
    with pytest.raises(PublicValueError, match="hash of both public values"):
        server_session_key(verifier=5, client_public=5, ephemeral=ServerEphemeral(private=5, public=5), powmod=counted)
    assert counted.calls == 0


def test_zero_is_never_drawn():
    draws = iter([bytes(4), b"\0\0\0\7"])
    assert draw_positive(size=4, random_bytes=lambda size: next(draws)) == 7


# Names


@pytest.mark.parametrize("pool_id", ["", "_", "us-east-1", "us-east-1_", "_AbC", "us_east_1", "us-east-1_A_b"])
def test_a_pool_id_has_exactly_one_underscore(pool_id):
    with pytest.raises(PoolIdError, match="one underscore"):
        pool_name_of(pool_id=pool_id)


def test_the_pool_name_follows_the_underscore():
    assert pool_name_of(pool_id="us-east-1_AbC") == "AbC"


def test_secret_values_stay_out_of_every_repr():
    session = ClientSession(private=1234567890123, public=42)
    ephemeral = ServerEphemeral(private=1234567890123, public=42)
    assert repr(session) == "ClientSession(public=42)"
    assert repr(ephemeral) == "ServerEphemeral(public=42)"


def test_every_refusal_is_in_the_app_s_one_tree_under_its_own_code():
    refusals = SrpError.__subclasses__()
    assert issubclass(SrpError, TrustedDevicesError)
    assert len({refusal.code for refusal in [SrpError, TrustedDevicesError, *refusals]}) == len(refusals) + 2
