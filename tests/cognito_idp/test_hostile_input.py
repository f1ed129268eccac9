"""Whatever a client puts in whatever place: an answer, or an error with a name, and never a failure of the site."""

import copy

import pytest

from tests.cognito_idp.scene import device_answer, device_begin, new_password, srp_answer, srp_begin
from tests.cognito_idp.wire import PROTOCOL_ERRORS, declared, decoded
from trusted_devices.cognito_idp.models import FailedAttempts
from trusted_devices.cognito_idp.registry import operations

TEXTS = [
    None,
    "",
    " ",
    "x" * 20,
    "x" * 100_000,
    "0",
    "-1",
    "\u202e\u0000",
    "\ud800",
    "\U0001f4f1" * 300,
    "%s%n{0}",
    "' OR 1=1 --",
    "../../etc/passwd",
    "A" * 44,
    "us-east-1_0",
    "00000000-0000-0000-0000-000000000000",
]
ODD = [None, "", "x" * 100_000, "-1", "\u202e\u0000", "\ud800", "A" * 44, "us-east-1_0"]
"""One of each kind of text, for steps and operations that read them as the others do."""
OTHERS = [0, -1, 1, 10**30, 1.5, True, [], ["a", None], {}, {"a": None}, {"Enabled": True}]

THOROUGH = ("InitiateAuth", "ConfirmDevice", "AdminListUserAuthEvents", "CreateUserPoolClient")
CHALLENGES = {
    "USER_SRP_AUTH": ("InitiateAuth", srp_begin, "AuthParameters"),
    "PASSWORD_VERIFIER": ("RespondToAuthChallenge", srp_answer, "ChallengeResponses"),
    "DEVICE_SRP_AUTH": ("RespondToAuthChallenge", device_begin, "ChallengeResponses"),
    "NEW_PASSWORD_REQUIRED": ("RespondToAuthChallenge", new_password, "ChallengeResponses"),
    "DEVICE_PASSWORD_VERIFIER": ("RespondToAuthChallenge", device_answer, "ChallengeResponses"),
}


@pytest.fixture(autouse=True)
def no_throttle(settings):
    settings.OTP_TOTP_THROTTLE_FACTOR = 0


def places(value, path=()):
    """Every place in a request, the innermost ones included."""
    if path:
        yield path
    if isinstance(value, dict):
        for name, member in value.items():
            yield from places(member, (*path, name))


def with_value(params, path, value):
    """A copy of ``params`` with ``value`` in one place."""
    changed = copy.deepcopy(params)
    parent = changed
    for name in path[:-1]:
        parent = parent[name]
    parent[path[-1]] = value
    return changed


def require_known_answer(scene, operation, params):
    """Neither a failure nor an error without a name."""
    FailedAttempts.objects.all().delete()
    response = scene.raw(operation, params)
    assert response.status_code in (200, 400, 413), (response.content, params)
    if response.status_code != 200:
        assert decoded(response)["__type"] in declared(operation) | PROTOCOL_ERRORS


@pytest.mark.parametrize("operation", operations())
def test_no_value_in_any_place_makes_an_operation_fail(scene, operation):
    params = scene.params(operation)
    values = [*TEXTS, *OTHERS] if operation in THOROUGH else [*ODD, 10**30, [], {"a": None}]
    for path in places(params):
        for value in values:
            require_known_answer(scene, operation, with_value(params, path, value))


@pytest.mark.parametrize("challenge", CHALLENGES)
def test_no_value_in_any_place_makes_a_step_fail(scene, challenge):
    operation, prepare, member = CHALLENGES[challenge]
    scene.app.password_sign_in()
    for name in prepare(scene)[member]:
        for text in ODD:
            # What is sent is good once, so each text meets a request that would have been answered.
            require_known_answer(scene, operation, with_value(prepare(scene), (member, name), text))
