"""The second factor: a code, the choice between several, setting one up."""

from __future__ import annotations

from typing import Any

from trusted_devices.cognito_idp import errors, factors
from trusted_devices.cognito_idp.models import PoolUser
from trusted_devices.cognito_idp.signin import challenge_session, due
from trusted_devices.cognito_idp.signin.request import SignInRequest


def answer_code(request: SignInRequest) -> dict[str, Any]:
    """SMS_MFA, SOFTWARE_TOKEN_MFA, EMAIL_OTP. A wrong code leaves the session as it is."""
    code = request.require(factors.CODE_MEMBER[request.step])
    session, pool_user = challenge_session.load(request)
    factor = _factor(pool_user, request.step)
    if factor is None:
        missing = errors.software_token_not_found if request.step == factors.TOTP else errors.mfa_method_not_found
        raise missing()
    verified = factors.verify(pool_user, factor, code, sent=session.code, by=request.by)
    challenge_session.use_up(session, request.session_text, now=request.now)
    return due.device_proof(request, pool_user, session.after(verified))


def answer_choice(request: SignInRequest) -> dict[str, Any]:
    """SELECT_MFA_TYPE. A code that is asked for too soon leaves the session as it is."""
    answer = request.require("ANSWER")
    session, pool_user = challenge_session.load(request)
    factor = _factor(pool_user, factors.ALIASES.get(answer, answer))
    if factor is None:
        raise errors.mfa_method_not_found()
    asked = due.code(request, pool_user, session, factor)
    challenge_session.use_up(session, request.session_text, now=request.now)
    return asked


def answer_setup(request: SignInRequest) -> dict[str, Any]:
    """MFA_SETUP, with the session that VerifySoftwareToken gave."""
    session, pool_user = challenge_session.load(request)
    if session.verification is None:
        raise errors.invalid_parameter("The software token has not been verified.")
    challenge_session.use_up(session, request.session_text, now=request.now)
    return due.device_proof(request, pool_user, session)


def _factor(pool_user: PoolUser, challenge: str) -> factors.Factor | None:
    return next((factor for factor in factors.available(pool_user) if factor.challenge == challenge), None)
