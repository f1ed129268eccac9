"""System checks of the Cognito backend: its options, and before deployment the pool itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from importlib.util import find_spec
from typing import Any

from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004 - Django's name
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from trusted_devices import conf as site
from trusted_devices.cognito import conf, identities
from trusted_devices.cognito.client import PoolClient
from trusted_devices.cognito.translate import LONGEST_ATTRIBUTE
from trusted_devices.exceptions import TrustedDevicesError
from trusted_devices.types import TrackingMode

TAG = "trusted_devices_cognito"
MINUTE = timedelta(minutes=1)
DEFAULT_FLOWS = ("ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_USER_SRP_AUTH", "ALLOW_CUSTOM_AUTH")
"""Those of an app client that names none, by the reference of CreateUserPoolClient."""


def check_options() -> list[CheckMessage]:
    """E001 to E005: the options can be used, without asking the pool."""
    try:
        options = conf.get_options()
    except ImproperlyConfigured as error:
        return [Error(str(error), hint="See the how-to about Amazon Cognito.", id=f"{TAG}.E001")]
    found: list[CheckMessage] = []
    try:
        mapper: Any = import_string(options.USER_MAPPER)
        good = isinstance(mapper, type) and issubclass(mapper, identities.UserMapper)
    except ImportError:
        good = False
    if not good:
        message = f"{conf.NAME}['USER_MAPPER'] does not name a subclass of UserMapper."
        found.append(Error(message, id=f"{TAG}.E002"))
    if options.REDIS_URL is not None and find_spec("redis") is None:
        message = f"{conf.NAME}['REDIS_URL'] needs redis, which is not installed."
        found.append(Error(message, hint="pip install 'django-device-trust[celery]'", id=f"{TAG}.E003"))
    if not any(issubclass(import_string(path), ModelBackend) for path in settings.AUTHENTICATION_BACKENDS):
        message = "AUTHENTICATION_BACKENDS holds no ModelBackend, by which sessions find their user."
        hint = (
            "Add 'django.contrib.auth.backends.ModelBackend'. Users of the pool have no password that it could check."
        )
        found.append(Error(message, hint=hint, id=f"{TAG}.E004"))
    if settings.SESSION_ENGINE == site.SIGNED_COOKIES:
        message = "Sessions in signed cookies have no room for a sign-in at the pool: nobody can sign in."
        found.append(Error(message, hint="Use another SESSION_ENGINE: db, cached_db, cache or file.", id=f"{TAG}.E005"))
    return found


def check_pool() -> list[CheckMessage]:
    """E010 to E013, W010 to W016, before deployment: the pool can be reached and is set up as the options say."""
    try:
        options = conf.get_options()
    except ImproperlyConfigured:
        return []
    pool, names = PoolClient(options), {"UserPoolId": options.USER_POOL_ID}
    try:
        described = pool.call("describe_user_pool", **names)["UserPool"]
        app = pool.call("describe_user_pool_client", **names, ClientId=options.CLIENT_ID)["UserPoolClient"]
        mfa = pool.call("get_user_pool_mfa_config", **names)
    except (TrustedDevicesError, KeyError) as error:
        return [
            Warning(
                f"The user pool cannot be asked how it is set up ({error}).",
                hint="The log names the call and the answer. The IAM policy of the how-to allows these three calls.",
                id=f"{TAG}.W010",
            )
        ]
    return [
        *_about_devices(described),
        *_about_attribute(described, options),
        *_about_app(app, options),
        *_about_mfa(mfa),
    ]


def _about_devices(described: dict[str, Any]) -> Iterator[CheckMessage]:
    tracking = described.get("DeviceConfiguration")
    if tracking is None:
        yield Error(
            "The user pool does not track devices: nobody can be offered trust.",
            hint="Set its DeviceConfiguration to ChallengeRequiredOnNewDevice and DeviceOnlyRememberedOnUserPrompt.",
            id=f"{TAG}.E010",
        )
        return
    if not tracking.get("ChallengeRequiredOnNewDevice"):
        yield Warning(
            "The user pool asks for MFA on remembered devices as well.",
            hint="Set ChallengeRequiredOnNewDevice in its DeviceConfiguration.",
            id=f"{TAG}.W011",
        )
    asks = bool(tracking.get("DeviceOnlyRememberedOnUserPrompt"))
    if asks is (site.get_settings().TRACKING == TrackingMode.ALWAYS):
        yield Warning(
            f"The user pool {'asks users' if asks else 'remembers every device'}, and {site.NAME}['TRACKING'] is "
            f"{str(site.get_settings().TRACKING)!r}.",
            hint="Let DeviceOnlyRememberedOnUserPrompt say the same as TRACKING: true for 'opt_in'.",
            id=f"{TAG}.W012",
        )


def _about_attribute(described: dict[str, Any], options: conf.Options) -> Iterator[CheckMessage]:
    name = options.EXPIRY_ATTRIBUTE
    if name is None:
        return
    declared: dict[str, Any] = {}
    for attribute in described.get("SchemaAttributes") or ():
        if attribute.get("Name") == name:
            declared = attribute
    longest = int((declared.get("StringAttributeConstraints") or {}).get("MaxLength", LONGEST_ATTRIBUTE))
    if declared.get("AttributeDataType") != "String" or not declared.get("Mutable") or longest < LONGEST_ATTRIBUTE:
        yield Warning(
            f"The user pool has no attribute {name!r} in which this site could write {LONGEST_ATTRIBUTE} characters.",
            hint="Declare it in the schema (String, mutable, maximum length 2048), or leave EXPIRY_ATTRIBUTE out.",
            id=f"{TAG}.W015",
        )


def _about_app(app: dict[str, Any], options: conf.Options) -> Iterator[CheckMessage]:
    flows = {str(flow).removeprefix("ALLOW_") for flow in app.get("ExplicitAuthFlows", DEFAULT_FLOWS)}
    if options.AUTH_FLOW not in flows:
        message = f"The app client does not allow {options.AUTH_FLOW}: nobody can sign in."
        yield Error(message, hint=f"Add ALLOW_{options.AUTH_FLOW} to its ExplicitAuthFlows.", id=f"{TAG}.E011")
    rotates = (app.get("RefreshTokenRotation") or {}).get("Feature") == "ENABLED"
    if options.KEEP_TOKENS and "REFRESH_TOKEN_AUTH" not in flows and not rotates:
        yield Warning(
            "The app client does not allow refreshing: the tokens in sessions end with the first ones.",
            hint="Add ALLOW_REFRESH_TOKEN_AUTH to its ExplicitAuthFlows, or set KEEP_TOKENS to False.",
            id=f"{TAG}.W013",
        )
    if (options.CLIENT_SECRET or None) != (app.get("ClientSecret") or None):
        message = f"{conf.NAME}['CLIENT_SECRET'] is not the app client's secret."
        yield Error(message, hint="An app client without a secret takes None.", id=f"{TAG}.E012")
    unheard = options.AUTH_FLOW == "USER_SRP_AUTH" and not app.get("EnablePropagateAdditionalUserContextData")
    if options.SEND_IP_ADDRESS and unheard:
        yield Warning(
            f"The app client takes no network addresses of users, which {conf.NAME}['SEND_IP_ADDRESS'] sends.",
            hint="Set its EnablePropagateAdditionalUserContextData (it needs a secret), or SEND_IP_ADDRESS to False.",
            id=f"{TAG}.W016",
        )
    here, there = site.get_settings().SIGN_IN_TIMEOUT, app.get("AuthSessionValidity", 3) * MINUTE
    if there < here:
        yield Warning(
            f"The pool forgets a half-finished sign-in after {there // MINUTE} minutes, before "
            f"{site.NAME}['SIGN_IN_TIMEOUT'] is over: users who take longer start again.",
            hint=f"Set the app client's AuthSessionValidity to {-(-here // MINUTE)} (15 at most), or shorten the time.",
            id=f"{TAG}.W014",
        )


def _about_mfa(mfa: dict[str, Any]) -> Iterator[CheckMessage]:
    if mfa.get("MfaConfiguration", "OFF") == "OFF":
        message = "MFA is off in the user pool: nobody is asked for a second factor or offered trust."
        yield Error(message, hint="Set MfaConfiguration to OPTIONAL or ON.", id=f"{TAG}.E013")
