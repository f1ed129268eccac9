"""A code that arrives twice at the same moment."""

from django_otp.oath import totp as totp_code
from django_otp.plugins.otp_static.models import StaticDevice

from tests.shared_database import at_once
from trusted_devices.exceptions import CodeMismatch, TooManyAttempts
from trusted_devices.services import second_factor
from trusted_devices.types import By, MfaVerification

TRIES = 5


def _outcomes(user, method, code, client_info):
    def verify():
        conversation = second_factor.ask_again(user, client=client_info)
        return second_factor.verify(conversation, method, code, by=By(client=client_info))

    outcomes = at_once(*[verify] * TRIES)
    verified = [outcome for outcome in outcomes if isinstance(outcome, MfaVerification)]
    refused = [outcome for outcome in outcomes if isinstance(outcome, CodeMismatch | TooManyAttempts)]
    return len(verified), len(refused)


def test_a_totp_code_is_good_for_one_of_those_who_use_it_at_once(user, totp, client_info):
    [method] = second_factor.methods(user)
    code = f"{totp_code(totp.bin_key):06}"
    assert _outcomes(user, method, code, client_info) == (1, TRIES - 1)


def test_a_recovery_code_is_good_for_one_of_those_who_use_it_at_once(user, totp, client_info):
    StaticDevice.objects.create(user=user, name="recovery").token_set.create(token="abcd2345")
    [_, recovery] = second_factor.methods(user)
    assert _outcomes(user, recovery, "abcd2345", client_info) == (1, TRIES - 1)
