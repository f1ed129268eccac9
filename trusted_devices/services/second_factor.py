"""Asking a user for a second factor: in the course of a sign-in, and again later."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.signals import user_login_failed
from django.views.decorators.debug import sensitive_variables

from trusted_devices.exceptions import CodeMismatch, CodeUsed, UnknownMethod
from trusted_devices.services import activity
from trusted_devices.services.stamps import credential_stamp
from trusted_devices.signin import get_sign_in
from trusted_devices.signin.base import Conversation
from trusted_devices.types import By, ClientInfo, EventAction, MfaMethod, MfaVerification

logger = logging.getLogger(__name__)


def methods(user: AbstractBaseUser) -> Sequence[MfaMethod]:
    """Return the factors of ``user``, preferred first; none when MFA is not active. Raises ``BackendUnavailable``."""
    return get_sign_in().methods(user)


def may_ask_anytime() -> bool:
    """Return whether signed-in users can be asked without signing in again (``SignInBackend.verifies_anytime``)."""
    return get_sign_in().verifies_anytime


def ask_again(user: AbstractBaseUser, *, client: ClientInfo, state: Mapping[str, str] | None = None) -> Conversation:
    """Return the conversation with a signed-in user who verifies a second factor again.

    ``state`` is what an earlier step of it left. Raises ``SignInExpired`` where only a sign-in asks for one.
    """
    return get_sign_in().resume(user, state or {}, client=client)


def find(found: Sequence[MfaMethod], method_id: str) -> MfaMethod:
    """Return the one with that id. Raises ``UnknownMethod``."""
    method = next((method for method in found if method.id == method_id), None)
    if method is None:
        raise UnknownMethod
    return method


def send(conversation: Conversation, method: MfaMethod) -> None:
    """Send a code where ``method`` needs one, or note the choice of it where the backend must know.

    Raises ``TooManyAttempts`` (asked for too often), ``SignInExpired``, ``BackendUnavailable``.
    """
    if method.needs_sending or method.needs_choosing:
        conversation.send(method)


@sensitive_variables("code")
def verify(
    conversation: Conversation, method: MfaMethod, code: str, *, stamp: str | None = None, by: By
) -> MfaVerification:
    """Verify a code and use it up. Raises as ``Conversation.answer_code`` does.

    The answer carries the credential stamp, which is ``stamp`` where the caller has read the user's factors already.
    A wrong code is announced as Django's ``user_login_failed``, so that what guards passwords guards codes as well. A
    right one that has been used is no guess.
    """
    if stamp is None:
        stamp = credential_stamp(conversation.user, conversation.methods())
    try:
        return replace(conversation.answer_code(method, code), stamp=stamp)
    except CodeUsed:
        logger.info("A code that has been used came again, user=%s.", conversation.user.pk)
        raise
    except CodeMismatch:
        user = conversation.user
        activity.record(EventAction.SIGN_IN_FAILED, user=user, reason=CodeMismatch.code, by=by)
        credentials = {"username": user.get_username()}
        user_login_failed.send(sender=__name__, credentials=credentials, request=by.client.request)
        raise
