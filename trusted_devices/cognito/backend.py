"""Signing people in at a user pool."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from django.contrib.auth.signals import user_login_failed
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from trusted_devices.backends.base import BaseDeviceBackend, FirstFactor, Recall
from trusted_devices.cognito import calls, conf, identities, session, tokens, translate
from trusted_devices.cognito.client import PoolClient
from trusted_devices.cognito.errors import MalformedAnswer, Unacceptable, UserNotFound
from trusted_devices.cognito.flow import Attempt, Flow, SignIn
from trusted_devices.exceptions import (
    ActionRequired,
    BackendUnavailable,
    CodeMismatch,
    DeviceNotFound,
    InvalidCredentials,
    PasswordRefused,
    SignInExpired,
    TooManyAttempts,
    TrustedDevicesError,
    UnknownMethod,
)
from trusted_devices.mfa.codes import normalise
from trusted_devices.owners.pool import PoolOwner
from trusted_devices.types import (
    ClientInfo,
    DeviceCredential,
    MfaMethod,
    MfaVerification,
    NewPassword,
    ProofState,
)

PAGE = 60
"""Devices in one answer of AdminListDevices, at most."""
_AUTHENTICATOR_CODE = re.compile(r"[0-9]{6}")


class CognitoBackend(BaseDeviceBackend):
    """``TRUSTED_DEVICES = {"BACKEND": "cognito", "COGNITO": {...}}``. The pool owns users and factors."""

    name = "cognito"
    verifies_anytime = False

    def __init__(self, sign_in: SignIn | None = None, credential: DeviceCredential | None = None) -> None:
        self._sign_in = sign_in
        self._credential = credential

    @property
    def pool(self) -> PoolClient:
        """The user pool."""
        return PoolClient(conf.get_options())

    def during(self, state: Mapping[str, str], credential: DeviceCredential | None = None) -> CognitoBackend:
        return CognitoBackend(SignIn.load(state) if state else None, credential)

    @sensitive_variables()
    def first_factor(self, *, credentials: Mapping[str, str], client: ClientInfo, recall: Recall) -> FirstFactor:
        def recall_by_name(username: str) -> DeviceCredential | None:
            candidate = identities.candidate(username)
            return recall(candidate) if candidate is not None else None

        username = credentials["username"]
        try:
            flow = Flow(self.pool, client)
            return self._next(flow, flow.begin(username, credentials["password"], recall_by_name))
        except InvalidCredentials:
            user_login_failed.send(sender=__name__, credentials={"username": username}, request=client.request)
            raise InvalidCredentials from None
        except (ActionRequired, BackendUnavailable, TooManyAttempts):
            raise
        except TrustedDevicesError as error:
            raise BackendUnavailable("The user pool refused the password for no reason that a password has.") from error

    def asks_new_password(self) -> NewPassword | None:
        return self._sign_in.new_password if self._sign_in is not None else None

    @sensitive_variables()
    def new_password(
        self,
        user: Any,
        password: str,
        attributes: Mapping[str, str],
        *,
        state: Mapping[str, str],
        client: ClientInfo,
    ) -> FirstFactor:
        sign_in, flow = SignIn.load(state), Flow(self.pool, client)
        if sign_in.new_password is None:
            raise SignInExpired
        typed = {translate.ATTRIBUTE + name: attributes[name] for name in sign_in.attributes if name in attributes}
        with _in_the_middle():
            try:
                answer = flow.respond(
                    translate.NEW_PASSWORD, sign_in.username, {"NEW_PASSWORD": password, **typed}, sign_in.session
                )
            except Unacceptable as error:
                raise PasswordRefused(error.reason) from None
            except CodeMismatch as error:
                raise MalformedAnswer("No code was given.") from error
            first = self._next(flow, Attempt(username=sign_in.username, answer=answer))
        if first.user.pk != user.pk:
            raise SignInExpired
        return first

    def _next(self, flow: Flow, attempt: Attempt) -> FirstFactor:
        if "AuthenticationResult" in attempt.answer:
            return self._signed_in(attempt)
        return self._challenged(flow, attempt)

    def _signed_in(self, attempt: Attempt) -> FirstFactor:
        """The pool asks for nothing more: the device stood in for MFA, or MFA is not active for this user."""
        proved = attempt.proof is ProofState.PASSED
        found, user = self._tokens(attempt.answer)
        if proved and (attempt.named is None or attempt.named.user_id != str(user.pk)):
            raise MalformedAnswer("A device of one user signed another in.")
        sign_in = SignIn(
            username=attempt.username, device_key=attempt.named.device_key if attempt.named and proved else ""
        )
        return FirstFactor(
            user=user,
            mfa_active=proved,
            proof=attempt.proof,
            state=sign_in.finished(found, attempt.answer).dump(),
            device_lost=attempt.lost,
        )

    def _challenged(self, flow: Flow, attempt: Attempt) -> FirstFactor:
        named = attempt.named.device_key if attempt.named else ""
        sign_in = flow.wait(SignIn(username=attempt.username, device_key=named), attempt.answer)
        # Whose a name is now only the pool can say, and here it is likely to have changed hands.
        changes = sign_in.challenge in (translate.NEW_PASSWORD, translate.SET_UP)
        user = None if changes else identities.candidate(attempt.username)
        if user is None:
            user = identities.resolve(translate.user_claims(calls.user_record(attempt.username)))
        elif not user.is_active:
            raise InvalidCredentials
        if (due := sign_in.new_password) is not None:
            return FirstFactor(user=user, new_password=due, state=sign_in.dump(), device_lost=attempt.lost)
        return FirstFactor(
            user=user,
            methods=sign_in.offered(),
            mfa_active=True,
            # A device that proved itself and is asked for a code nevertheless may not stand in for it.
            proof=ProofState.FAILED if attempt.proof is ProofState.FAILED else ProofState.MISSING,
            state=sign_in.dump(),
            device_lost=attempt.lost,
        )

    def methods(self, user: Any) -> Sequence[MfaMethod]:
        if self._sign_in is not None:
            return self._sign_in.offered()
        sub = identities.sub_of(user.pk)
        if sub is None:
            return []
        try:
            return translate.user_methods(calls.user_record(sub))
        except UserNotFound:
            return []

    def send_code(
        self, user: Any, method: MfaMethod, *, state: Mapping[str, str], client: ClientInfo
    ) -> Mapping[str, str]:
        sign_in = SignIn.load(state)
        if sign_in.challenge == translate.SELECT:
            try:
                with _in_the_middle():
                    answer = Flow(self.pool, client).respond(
                        translate.SELECT, sign_in.username, {"ANSWER": method.id}, sign_in.session
                    )
            except (ActionRequired, CodeMismatch):
                raise SignInExpired from None
            if answer.get("ChallengeName") != method.id:
                raise MalformedAnswer("The pool asks for another factor than was chosen.")
            return dataclasses.replace(sign_in.waiting_for(answer), announced=True).dump()
        if sign_in.challenge != method.id:
            raise UnknownMethod
        if sign_in.announced:
            # The pool sends one code for each sign-in.
            raise TooManyAttempts
        return dataclasses.replace(sign_in, announced=True).dump()

    @sensitive_variables()
    def second_factor(
        self, user: Any, method: MfaMethod, code: str, *, state: Mapping[str, str], client: ClientInfo
    ) -> MfaVerification:
        sign_in = SignIn.load(state)
        if sign_in.challenge != method.id:
            raise SignInExpired
        flow, plain = Flow(self.pool, client), normalise(code)
        if not plain or (method.kind == "totp" and not _AUTHENTICATOR_CODE.fullmatch(plain)):
            # The pool complains of it in the words that it has for faults of this site's.
            raise CodeMismatch
        with _in_the_middle():
            if method.id == translate.SET_UP:
                answer = flow.set_up(sign_in, plain)
            else:
                typed = {translate.CODE_MEMBER[method.id]: plain}
                answer = flow.respond(method.id, sign_in.username, typed, sign_in.session)
            now = timezone.now()
            if answer.get("ChallengeName") == translate.DEVICE:
                answer = self._prove_late(flow, sign_in, answer)
            if "AuthenticationResult" not in answer:
                raise MalformedAnswer("A second factor after the second factor.")
            found, signed_in = self._tokens(answer)
        if signed_in.pk != user.pk:
            # The name has become somebody else's; from now on it leads to them.
            raise SignInExpired
        return MfaVerification(
            kind=method.kind,
            factor_id=translate.TOTP if method.id == translate.SET_UP else method.id,
            at=now,
            backend_state=sign_in.finished(found, answer).dump(),
        )

    def session_data(self, device_key: str = "") -> Mapping[str, str]:
        return session.pack(self._sign_in, device_key) if self._sign_in and conf.get_options().KEEP_TOKENS else {}

    @property
    def owner(self) -> PoolOwner:
        return PoolOwner(self._sign_in)

    def _tokens(self, answer: dict[str, Any]) -> tuple[tokens.Tokens, Any]:
        found = tokens.verify(answer["AuthenticationResult"], conf.get_options(), now=timezone.now())
        return found, identities.resolve(found.claims)

    def _prove_late(self, flow: Flow, sign_in: SignIn, answer: dict[str, Any]) -> dict[str, Any]:
        """Prove the device after a code, for a pool that wants to know it but does not let it skip MFA."""
        credential = self._credential
        if credential is None or credential.device_key != sign_in.device_key:
            raise SignInExpired
        return flow.prove(answer, sign_in.username, credential)


@contextmanager
def _in_the_middle() -> Iterator[None]:
    """The password was right a moment ago: whoever may not sign in now was disabled or deleted meanwhile."""
    try:
        yield
    except (DeviceNotFound, InvalidCredentials):
        raise SignInExpired from None
