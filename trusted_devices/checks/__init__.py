"""System checks: what would make trust useless or unsafe, each with an id, a hint and a line in the documentation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from importlib import metadata
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, Warning  # noqa: A004 - Django's name
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import get_connection
from django.core.mail.backends.smtp import EmailBackend as SMTPBackend
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils.module_loading import import_string

from trusted_devices import conf
from trusted_devices.checks import databases
from trusted_devices.mfa import get_provider
from trusted_devices.owners import get_owner
from trusted_devices.owners.base import DeviceOwner
from trusted_devices.policy import TrustPolicy
from trusted_devices.signin import get_sign_in
from trusted_devices.web import mail_runner
from trusted_devices.words import places

MIDDLEWARE = "trusted_devices.middleware.DeviceKeyMiddleware"
AUTHENTICATION_MIDDLEWARE = "django.contrib.auth.middleware.AuthenticationMiddleware"
ADMIN_CONFIG = "trusted_devices.admin_site.TrustedDevicesAdminConfig"
PROTECTED_ADMIN_SITES = {
    "trusted_devices.admin_site.TrustedDevicesAdminMixin",
    "django_otp.admin.OTPAdminSite",
    "two_factor.admin.AdminSiteOTPRequiredMixin",
}
OTHER_DISTRIBUTION = "django-trusted-devices"
OTHER_SETTING = "TRUSTED_DEVICE"


def register() -> None:
    """Register all checks. Registering twice is the same as once."""
    for check in (
        check_options,
        check_classes,
        check_owner,
        check_time_zones,
        check_middleware,
        check_places,
        check_other_package,
        databases.check_router,
        databases.check_group_model,
    ):
        checks.register(check, "trusted_devices")
    for check in (check_mfa, check_session_engine, check_admin_sites, check_guessing_protection):
        checks.register(check, Tags.security, "trusted_devices")
    checks.register(check_cookie, Tags.security, "trusted_devices", deploy=True)
    checks.register(check_mail_timeout, "trusted_devices", deploy=True)
    checks.register(check_owner_deployment, "trusted_devices", deploy=True)
    for check in (databases.check_other_table, databases.check_characters, databases.check_groups):
        checks.register(check, Tags.database, "trusted_devices")


def check_options(**_: Any) -> list[CheckMessage]:
    """E001, E002: the setting holds known options with good values."""
    found: list[CheckMessage] = []
    for problem in conf.Settings.problems(conf.Settings.raw()):
        where = conf.NAME if problem.key == conf.NAME else f"{conf.NAME}[{problem.key!r}]"
        if problem.unknown:
            hint = problem.hint or "The reference of settings lists all options."
            found.append(Error(f"{where} is not an option.", hint=hint, id="trusted_devices.E001"))
        else:
            found.append(Error(f"{where} {problem.message}.", hint=problem.hint or None, id="trusted_devices.E002"))
    return found


def check_classes(**_: Any) -> list[CheckMessage]:
    """E003, E004, E005, E006: what the options name can be imported and is of the right kind."""
    options = _options()
    if options is None:
        return []
    found: list[CheckMessage] = []
    if options.MFA and options.MFA.startswith("trusted_devices.mfa.otp.") and not apps.is_installed("django_otp"):
        hint = "Add 'django_otp' and its plug-ins, such as 'django_otp.plugins.otp_totp', to INSTALLED_APPS."
        found.append(
            Error(f"{conf.NAME}['MFA'] needs django-otp, which is not installed.", hint=hint, id="trusted_devices.E006")
        )
    else:
        found += _loading("MFA", get_provider, "a subclass of trusted_devices.mfa.base.BaseMfaProvider", "E003")
    found += _loading("POLICY", _policy, "a subclass of trusted_devices.policy.TrustPolicy", "E004")
    found += _loading("BACKEND", _backend, "a trusted_devices.backends.Backend", "E005")
    for name in ("CLIENT_IP", "BULK_RUNNER", "MAIL_RUNNER"):
        if (path := getattr(options, name)) not in (None, "thread", "inline"):
            found += _loading(name, partial(_function, path), "a function", "E007")
    return found


def check_owner(**_: Any) -> list[CheckMessage]:
    """What the owner of the devices has to say about its own options."""
    owner = _owner()
    return owner.check() if owner else []


def check_owner_deployment(**_: Any) -> list[CheckMessage]:
    """Before deployment: what is wrong at the owner's end, which may be asked over a network for that."""
    owner = _owner()
    return owner.check_deployment() if owner else []


def _backend() -> tuple[DeviceOwner, object]:
    return get_owner(), get_sign_in()


def _owner() -> DeviceOwner | None:
    """Return the owner of the devices; ``None`` where another check says what is wrong with it."""
    if _options() is None:
        return None
    try:
        return get_owner()
    except (ImportError, RuntimeError, TypeError):
        return None


def check_time_zones(**_: Any) -> list[CheckMessage]:
    """E013: times are moments, whatever clocks are set to."""
    if settings.USE_TZ:
        return []
    return [
        Error(
            conf.NEEDS_TIME_ZONES,
            hint="Set it, which is Django's default. Django's documentation says how to migrate times that are stored.",
            id="trusted_devices.E013",
        )
    ]


def check_middleware(**_: Any) -> list[CheckMessage]:
    """E008, E009: the middleware is there, behind the one that it builds on."""
    ours, theirs = _position(MIDDLEWARE), _position(AUTHENTICATION_MIDDLEWARE)
    if ours is None:
        return [
            Error(
                f"{MIDDLEWARE!r} is not in MIDDLEWARE: no device can be told again.",
                hint=f"Add it to MIDDLEWARE, behind {AUTHENTICATION_MIDDLEWARE!r}.",
                id="trusted_devices.E008",
            )
        ]
    if theirs is None or ours < theirs:
        return [
            Error(
                f"{MIDDLEWARE!r} must come behind {AUTHENTICATION_MIDDLEWARE!r} in MIDDLEWARE.",
                hint="It attaches the device of the signed-in user, who has to be known first.",
                id="trusted_devices.E009",
            )
        ]
    return []


def check_mfa(**_: Any) -> list[CheckMessage]:
    """W001: somebody is asked for a second factor at all."""
    options = _options()
    if options is None or options.MFA is not None or options.BACKEND != "local":
        return []
    return [
        Warning(
            f"{conf.NAME}['MFA'] is not set: the sign-in pages ask nobody for a second factor and offer no trust.",
            hint="Set it to 'trusted_devices.mfa.otp.OTPProvider' or to a provider of your own.",
            id="trusted_devices.W001",
        )
    ]


def check_session_engine(**_: Any) -> list[CheckMessage]:
    """W002: sessions can be ended from outside."""
    if settings.SESSION_ENGINE != conf.SIGNED_COOKIES:
        return []
    return [
        Warning(
            "Sessions in signed cookies cannot be ended: whoever is signed in on a forgotten device stays signed in.",
            hint="Use another SESSION_ENGINE: db, cached_db, cache or file.",
            id="trusted_devices.W002",
        )
    ]


def check_admin_sites(**_: Any) -> list[CheckMessage]:
    """W003: the admin is no way around MFA."""
    options = _options()
    if options is None or (options.MFA is None and options.BACKEND == "local"):
        return []
    if not apps.is_installed("django.contrib.admin") or not getattr(settings, "ROOT_URLCONF", None):
        return []
    found: list[CheckMessage] = [
        Warning(
            f"The admin site {site.name!r} lets staff in with a password alone.",
            hint=f"Put {ADMIN_CONFIG!r} in place of 'django.contrib.admin' into INSTALLED_APPS, or base your own admin "
            "site on trusted_devices.admin_site.TrustedDevicesAdminMixin.",
            id="trusted_devices.W003",
        )
        for site in _admin_sites()
        if not _is_protected(site)
    ]
    return found


def check_guessing_protection(**_: Any) -> list[CheckMessage]:
    """W004: passwords are protected against guessing."""
    options = _options()
    if options is None or options.BACKEND == "cognito" or apps.is_installed("axes"):
        return []
    return [
        Warning(
            "Nothing is known to limit how often passwords can be guessed.",
            hint="Install django-axes (extra 'axes'). If something else protects your sign-in, silence this warning.",
            id="trusted_devices.W004",
        )
    ]


def check_cookie(**_: Any) -> list[CheckMessage]:
    """W005, before deployment: the device-key cookie travels over HTTPS only."""
    if _options() is None or conf.cookie_is_secure():
        return []
    return [
        Warning(
            "The device-key cookie is sent over plain HTTP as well, where it can be copied.",
            hint=f"Serve the site over HTTPS and leave {conf.NAME}['COOKIE_SECURE'] at None or True, with DEBUG off.",
            id="trusted_devices.W005",
        )
    ]


def check_mail_timeout(**_: Any) -> list[CheckMessage]:
    """W020, before deployment: no request waits for a mail server without an end."""
    try:
        connection = get_connection()
    except Exception:  # noqa: BLE001 - whatever is wrong with the mail backend is for others to say
        return []
    if not isinstance(connection, SMTPBackend) or connection.timeout is not None:
        return []
    return [
        Warning(
            "EMAIL_TIMEOUT is not set: a mail server that does not answer holds up whoever sends a mail, without end.",
            hint="Set it to some seconds, such as 10. Mails about devices are sent beside the requests and wait "
            f"{mail_runner.TIMEOUT} seconds; a code by e-mail and a mail for a new password are sent within them.",
            id="trusted_devices.W020",
        )
    ]


def check_other_package(**_: Any) -> list[CheckMessage]:
    """W006: no other package of the same import name is around."""
    installed = _is_installed(OTHER_DISTRIBUTION)
    if not installed and not hasattr(settings, OTHER_SETTING):
        return []
    what = f"The package {OTHER_DISTRIBUTION!r} is installed" if installed else f"There is a setting {OTHER_SETTING}"
    return [
        Warning(
            f"{what}, which belongs to another package with the import name 'trusted_devices'.",
            hint=f"The two cannot be used together: uninstall one. The setting of this package is {conf.NAME}.",
            id="trusted_devices.W006",
        )
    ]


def check_places(**_: Any) -> list[CheckMessage]:
    """W008: places can be found where the site wants them shown."""
    options = _options()
    if options is None or not options.GEOIP or not (problem := places.problem()):
        return []
    return [
        Warning(
            f"{conf.NAME}['GEOIP'] is on, but no place can be found, so none is shown. {problem}",
            hint="Install the extra 'geoip' and let GEOIP_PATH name a GeoLite2 or DB-IP database, or switch it off.",
            id="trusted_devices.W008",
        )
    ]


def _options() -> conf.Settings | None:
    """Return the options, or ``None`` where :func:`check_options` has something to say."""
    try:
        return conf.get_settings()
    except ImproperlyConfigured:
        return None


def _loading(option: str, load: Callable[[], object], kind: str, number: str) -> Iterator[CheckMessage]:
    try:
        load()
    except (ImportError, RuntimeError, TypeError) as error:
        message = f"{conf.NAME}[{option!r}] cannot be used: {error}"
        yield Error(message, hint=f"It must be the dotted path of {kind}.", id=f"trusted_devices.{number}")


def _policy() -> None:
    path = conf.get_settings().POLICY
    found = import_string(path)
    if not (isinstance(found, type) and issubclass(found, TrustPolicy)):
        raise TypeError(f"{path} is not a {TrustPolicy.__module__}.TrustPolicy.")


def _function(path: str) -> None:
    if not callable(import_string(path)):
        raise TypeError(f"{path} cannot be called.")


def _position(wanted: str) -> int | None:
    """Return where in ``MIDDLEWARE`` that middleware or a subclass of it is."""
    base = import_string(wanted)
    for position, path in enumerate(settings.MIDDLEWARE):
        try:
            found = import_string(path)
        except ImportError:
            continue
        if isinstance(found, type) and issubclass(found, base):
            return position
    return None


def _admin_sites() -> list[Any]:
    """Return the admin sites that the root URLconf leads to, each once."""
    sites: dict[int, Any] = {}
    for callback in _callbacks(get_resolver()):
        if (site := getattr(callback, "admin_site", None)) is not None:
            sites.setdefault(id(site), site)
    return list(sites.values())


def _callbacks(resolver: URLResolver) -> Iterator[Any]:
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLPattern):
            yield pattern.callback
        else:
            yield from _callbacks(pattern)


def _is_protected(site: Any) -> bool:
    return any(f"{base.__module__}.{base.__qualname__}" in PROTECTED_ADMIN_SITES for base in site.__class__.__mro__)


def _is_installed(distribution: str) -> bool:
    try:
        metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True
