"""A sign-in at the pool, challenge by challenge: the password by SRP, the device's proof, codes.

Which device is named decides the policy before the password is proved, because its key travels in the same message.
If the pool does not know it or its proof fails, the sign-in begins again without it and MFA is asked.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from django.views.decorators.debug import sensitive_variables

from trusted_devices.cognito import calls, translate
from trusted_devices.cognito.client import PoolClient
from trusted_devices.cognito.errors import MalformedAnswer, UserNotFound
from trusted_devices.cognito.tokens import Tokens
from trusted_devices.conf import secret_keys
from trusted_devices.crypto.encoding import format_timestamp
from trusted_devices.crypto.errors import SrpError, TextError
from trusted_devices.crypto.sealing import Record, Unsealable
from trusted_devices.crypto.srp import ClientSession, Identity, device_identity, pool_name_of, user_identity
from trusted_devices.exceptions import CodeMismatch, DeviceNotFound, InvalidCredentials, SignInExpired
from trusted_devices.types import ClientInfo, DeviceCredential, MfaMethod, NewPassword, ProofState

Recall = Callable[[str], DeviceCredential | None]
Answer = dict[str, Any]
_Answered = tuple[str, DeviceCredential | None, Answer]
"""The pool's name for the user, the device that was named, and the answer."""
LONGEST_USERNAME = 128
STATE = "sealed"
_WAITING = Record("cognito sign-in v1", keys=secret_keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSignIn:
    """A sign-in at the pool as it waits between two steps, sealed: the pool's session, and in the end the tokens.

    ``methods`` are the challenges to choose from, or the one that is asked, with where its code went. ``attributes``
    are due with a new password; ``totp_key`` is that of an authenticator that is being set up. ``new_key`` and
    ``group_key`` are those of a device that may be confirmed; ``device_key`` is that of one that was named.
    """

    username: str
    challenge: str = ""
    session: str = field(default="", repr=False)
    methods: tuple[tuple[str, str], ...] = ()
    announced: bool = False
    attributes: tuple[str, ...] = ()
    totp_key: str = field(default="", repr=False)
    device_key: str = ""
    new_key: str = ""
    group_key: str = ""
    access: str = field(default="", repr=False)
    identity: str = field(default="", repr=False)
    refresh: str = field(default="", repr=False)
    expires_at: int = 0

    def dump(self) -> dict[str, str]:
        """Return the backend's state."""
        return {STATE: _WAITING.seal(dataclasses.asdict(self))}

    @classmethod
    def load(cls, state: Mapping[str, str]) -> PoolSignIn:
        """Read what :meth:`dump` made. Raises ``SignInExpired`` for anything else."""
        try:
            record = _WAITING.open(state.get(STATE, ""))
        except Unsealable:
            raise SignInExpired from None
        record["methods"] = tuple((name, where) for name, where in record["methods"])
        record["attributes"] = tuple(record["attributes"])
        return cls(**record)

    @property
    def new_password(self) -> NewPassword | None:
        """What is asked for, where a new password is."""
        return NewPassword(attributes=self.attributes) if self.challenge == translate.NEW_PASSWORD else None

    def offered(self) -> list[MfaMethod]:
        """Return the second factors that are asked for, can be chosen, or are being set up."""
        if self.challenge == translate.SET_UP:
            return [translate.set_up_method(self.totp_key)]
        choosing = self.challenge == translate.SELECT
        return [translate.method(name, destination=where, choosing=choosing) for name, where in self.methods]

    def waiting_for(self, answer: Answer) -> PoolSignIn:
        """Return the state in which ``answer``, a challenge for a second factor, waits for a code."""
        methods = translate.challenge_methods(answer)
        return dataclasses.replace(
            self,
            challenge=answer["ChallengeName"],
            session=session_of(answer),
            methods=tuple((method.id, translate.destination(answer)) for method in methods),
        )

    def finished(self, tokens: Tokens, answer: Answer) -> PoolSignIn:
        """Return the state of a sign-in that has its tokens."""
        new = answer["AuthenticationResult"].get("NewDeviceMetadata") or {}
        return dataclasses.replace(
            self,
            challenge="",
            session="",
            methods=(),
            totp_key="",
            access=tokens.access,
            identity=tokens.identity,
            refresh=tokens.refresh,
            expires_at=tokens.expires_at,
            new_key=str(new.get("DeviceKey") or ""),
            group_key=str(new.get("DeviceGroupKey") or ""),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What the pool answered to the password: tokens or a challenge. ``named`` is the device that was sent along.

    ``proof`` is where its proof stands; ``lost`` says that the pool does not know it.
    """

    username: str
    answer: Answer = field(repr=False)
    named: DeviceCredential | None = None
    proof: ProofState = ProofState.MISSING
    lost: bool = False


class Flow:
    """Takes one user through the challenges."""

    def __init__(self, pool: PoolClient, client: ClientInfo) -> None:
        self.pool = pool
        self.client = client
        self.by_admin = pool.options.AUTH_FLOW == "ADMIN_USER_PASSWORD_AUTH"

    @sensitive_variables()
    def begin(self, username: str, password: str, recall: Recall) -> Attempt:
        """Prove the password, and the device that ``recall`` finds for the pool's name of the user, if any.

        Raises ``InvalidCredentials``, ``TooManyAttempts``, ``ActionRequired``, ``BackendUnavailable``.
        """
        if not _is_name(username) or not password:
            raise InvalidCredentials
        prove = self._by_srp
        if self.by_admin:
            # Asked whoever it is and whatever this browser holds, so that the time it takes tells neither.
            prove = partial(self._by_password, own_name=_own_name(username))
        try:
            name, named, answer = prove(username, password, recall)
        except DeviceNotFound:
            name, _, answer = prove(username, password, _no_device)
            return Attempt(username=name, answer=answer, lost=True)
        if answer.get("ChallengeName") == translate.NEW_PASSWORD and named is not None:
            # The administrator who set the password ended the trust that was given under the last one.
            name, named, answer = prove(username, password, _no_device)
        if answer.get("ChallengeName") != translate.DEVICE:
            return Attempt(username=name, answer=answer, named=named)
        if named is None:
            raise MalformedAnswer("A proof of a device was asked that was not named.")
        try:
            answer = self.prove(answer, name, named)
        except (DeviceNotFound, InvalidCredentials) as error:
            lost = isinstance(error, DeviceNotFound)
            name, _, answer = prove(username, password, _no_device)
            proof = ProofState.MISSING if lost else ProofState.FAILED
            return Attempt(username=name, answer=answer, proof=proof, lost=lost)
        return Attempt(username=name, answer=answer, named=named, proof=ProofState.PASSED)

    @sensitive_variables()
    def _by_password(self, username: str, password: str, recall: Recall, *, own_name: str) -> _Answered:
        named = recall(own_name)
        parameters = {"USERNAME": username, "PASSWORD": password, **_key(named)}
        answer = self._initiate("ADMIN_USER_PASSWORD_AUTH", username, parameters)
        name = (answer.get("ChallengeParameters") or {}).get("USER_ID_FOR_SRP")
        return str(name or own_name), named, answer

    @sensitive_variables()
    def _by_srp(self, username: str, password: str, recall: Recall) -> _Answered:
        session = ClientSession.start()
        answer = self._initiate("USER_SRP_AUTH", username, {"USERNAME": username, "SRP_A": session.srp_a})
        if answer.get("ChallengeName") != "PASSWORD_VERIFIER":
            raise MalformedAnswer("The pool did not answer with its half of SRP.")
        (name,) = translate.require(answer, "USER_ID_FOR_SRP")
        # Until the password is proved, a pool may call who typed an address by a name that it uses nowhere else.
        own_name = name if name == username else _own_name(username)
        named = recall(own_name)
        identity = user_identity(pool_name=pool_name_of(pool_id=self.pool.options.USER_POOL_ID), user_id=name)
        responses = {**_claim(session, answer, identity, password), **_key(named)}
        return own_name, named, self.respond("PASSWORD_VERIFIER", own_name, responses)

    @sensitive_variables()
    def prove(self, answer: Answer, username: str, credential: DeviceCredential) -> Answer:
        """Prove the device to the pool; return the answer to that.

        Raises ``InvalidCredentials`` if the proof fails, ``DeviceNotFound``, ``BackendUnavailable``.
        """
        session = ClientSession.start()
        key = {"DEVICE_KEY": credential.device_key}
        waiting = str(answer.get("Session") or "")
        answer = self.respond(translate.DEVICE, username, {**key, "SRP_A": session.srp_a}, waiting)
        if answer.get("ChallengeName") != "DEVICE_PASSWORD_VERIFIER":
            raise MalformedAnswer("The pool did not answer with its half of the device's SRP.")
        identity = device_identity(device_group_key=credential.group_key, device_key=credential.device_key)
        responses = {**key, **_claim(session, answer, identity, credential.secret)}
        return self.respond("DEVICE_PASSWORD_VERIFIER", username, responses, str(answer.get("Session") or ""))

    @sensitive_variables()
    def wait(self, sign_in: PoolSignIn, answer: Answer) -> PoolSignIn:
        """Return the state in which ``answer``, a challenge, waits for the user.

        Asks the pool for the key of an authenticator that is to be set up. Raises ``ActionRequired`` where something
        else would have to be set up, ``BackendUnavailable``.
        """
        name = answer.get("ChallengeName")
        if name == translate.NEW_PASSWORD:
            due = translate.due_attributes(answer)
            return dataclasses.replace(sign_in, challenge=name, session=session_of(answer), attributes=due)
        if name != translate.SET_UP:
            return sign_in.waiting_for(answer)
        translate.ensure_authenticator(answer)
        try:
            given = self.pool.call("associate_software_token", Session=session_of(answer))
        except InvalidCredentials as error:
            raise MalformedAnswer("A challenge whose session is worth nothing.") from error
        key = translate.set_up_key(given)
        return dataclasses.replace(sign_in, challenge=name, session=session_of(given), totp_key=key)

    @sensitive_variables()
    def set_up(self, sign_in: PoolSignIn, code: str) -> Answer:
        """Prove with ``code`` that the authenticator works; return the pool's answer to MFA_SETUP.

        Raises ``CodeMismatch``, ``InvalidCredentials``, ``BackendUnavailable``.
        """
        given = self.pool.call("verify_software_token", Session=sign_in.session, UserCode=code)
        if given.get("Status") == "ERROR":
            raise CodeMismatch
        if given.get("Status") != "SUCCESS":
            raise MalformedAnswer("An authenticator that is neither right nor wrong.")
        return self.respond(translate.SET_UP, sign_in.username, {}, session_of(given))

    @sensitive_variables()
    def respond(self, challenge: str, username: str, responses: Mapping[str, str], session: str = "") -> Answer:
        """Answer a challenge; return the pool's answer to that."""
        return self.pool.call(
            "admin_respond_to_auth_challenge" if self.by_admin else "respond_to_auth_challenge",
            ClientId=self.pool.options.CLIENT_ID,
            ChallengeName=challenge,
            ChallengeResponses={"USERNAME": username, **responses, **self.pool.secret_hash(username)},
            **({"Session": session} if session else {}),
            **self._context(),
        )

    @sensitive_variables()
    def _initiate(self, flow: str, username: str, parameters: Mapping[str, str]) -> Answer:
        return self.pool.call(
            "admin_initiate_auth" if self.by_admin else "initiate_auth",
            ClientId=self.pool.options.CLIENT_ID,
            AuthFlow=flow,
            AuthParameters={**parameters, **self.pool.secret_hash(username)},
            **self._context(),
        )

    def _context(self) -> dict[str, Any]:
        options, address = self.pool.options, self.client.ip_address
        found: dict[str, Any] = {"UserPoolId": options.USER_POOL_ID} if self.by_admin else {}
        if options.SEND_IP_ADDRESS and address:
            if self.by_admin:
                agent = {"headerName": "User-Agent", "headerValue": self.client.user_agent}
                found["ContextData"] = {
                    "IpAddress": address,
                    "ServerName": "",
                    "ServerPath": "",
                    "HttpHeaders": [agent],
                }
            else:
                found["UserContextData"] = {"IpAddress": address}
        return found


def session_of(answer: Answer) -> str:
    """Return the session of a challenge. Raises ``MalformedAnswer`` if there is none."""
    session = answer.get("Session")
    if not isinstance(session, str) or not session:
        raise MalformedAnswer("A challenge without a session.")
    return session


def _own_name(username: str) -> str:
    """Return what the pool calls the user who signs in as ``username``: they may type an address, or other capitals.

    Where it knows nobody, what was typed. Raises ``BackendUnavailable``.
    """
    try:
        return str(translate.user_claims(calls.user_record(username))["cognito:username"])
    except UserNotFound:
        return username


def _is_name(text: str) -> bool:
    """Return whether the pool would take ``text`` for a user name; it complains of anything else."""
    return 0 < len(text) <= LONGEST_USERNAME and text.isprintable() and not any(map(str.isspace, text))


def _no_device(username: str) -> None:
    return None


def _key(named: DeviceCredential | None) -> dict[str, str]:
    return {"DEVICE_KEY": named.device_key} if named is not None else {}


@sensitive_variables()
def _claim(session: ClientSession, answer: Answer, identity: Identity, password: str) -> dict[str, str]:
    salt, srp_b, block = translate.require(answer, "SALT", "SRP_B", "SECRET_BLOCK")
    timestamp = format_timestamp(datetime.now(UTC))
    try:
        signature = session.sign(
            identity=identity, password=password, salt=salt, srp_b=srp_b, secret_block=block, timestamp=timestamp
        )
    except TextError:
        raise InvalidCredentials from None
    except SrpError as error:
        raise MalformedAnswer("The pool's half of SRP cannot be used.") from error
    return {"PASSWORD_CLAIM_SECRET_BLOCK": block, "PASSWORD_CLAIM_SIGNATURE": signature, "TIMESTAMP": timestamp}
