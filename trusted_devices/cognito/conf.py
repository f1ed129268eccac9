"""``TRUSTED_DEVICES["COGNITO"]``: the options of the Cognito backend, typed and read lazily."""

from __future__ import annotations

from dataclasses import MISSING, dataclass
from typing import Any, ClassVar

from trusted_devices.conf import get_settings
from trusted_devices.conf.section import Section, option
from trusted_devices.conf.validators import boolean, dotted_path, matching, number, one_of, url

QUOTA = 25
"""Changes of devices a second that Amazon allows an account in a region, for all its pools together."""
USER_QUOTA = 10
"""Changes a second that it allows one user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(Section):
    """The options; those without a default must be given."""

    key: ClassVar[str] = "COGNITO"

    USER_POOL_ID: str = option(
        MISSING, matching(r"[\w-]+_[0-9a-zA-Z]+", "a user pool id such as 'eu-central-1_AbCdEf123'"), "The user pool."
    )
    CLIENT_ID: str = option(MISSING, matching(r"[\w+]{1,128}", "an app client id"), "The app client that this site is.")
    CLIENT_SECRET: str | None = option(
        None, matching(r"[\w+]{1,64}", "an app client secret"), "Its secret, if it has one.", secret=True
    )
    REGION: str | None = option(
        None,
        matching(r"[a-z0-9-]{1,32}", "a region such as 'eu-central-1'"),
        "The pool's region; by default what its id begins with.",
    )
    ENDPOINT_URL: str | None = option(
        None, url, "Where to call instead of Amazon's endpoint of the region: a VPC endpoint, or a pool of your own."
    )
    ISSUER: str | None = option(
        None, url, "What the pool's tokens name as their issuer; by default what follows from region or endpoint."
    )
    AUTH_FLOW: str = option(
        "USER_SRP_AUTH",
        one_of("USER_SRP_AUTH", "ADMIN_USER_PASSWORD_AUTH"),
        "`USER_SRP_AUTH`: passwords never travel. `ADMIN_USER_PASSWORD_AUTH`: the pool is told the password.",
    )
    USER_MAPPER: str = option(
        "trusted_devices.cognito.identities.UserMapper",
        dotted_path,
        "Dotted path of a subclass of `UserMapper`: which Django user a user of the pool is.",
    )
    USERNAME_CLAIM: str = option(
        "cognito:username",
        matching(r"[\w:.-]{1,64}", "the name of a claim"),
        "The claim that new Django users get their user name from.",
    )
    KEEP_TOKENS: bool = option(
        True, boolean, "Whether sessions keep the tokens of their sign-in, sealed, for calls on behalf of the user."
    )
    SEND_IP_ADDRESS: bool = option(
        False,
        boolean,
        "Whether the pool is told the user's network address. The app client must be set up to take it.",
    )
    EXPIRY_ATTRIBUTE: str | None = option(
        None,
        matching(r"custom:\w{1,20}", "a custom attribute such as 'custom:trusted_until'"),
        "A custom attribute of the pool's users in which other apps find until when which devices are trusted.",
    )
    CONNECT_TIMEOUT: float = option(2.0, number(0.1, 60), "Seconds to wait for a connection.")
    READ_TIMEOUT: float = option(5.0, number(0.1, 60), "Seconds to wait for an answer.")
    WRITES_PER_SECOND: float = option(
        5.0, number(0.01, QUOTA), "Changes of devices a second that all sweeps together may make."
    )
    READS_PER_SECOND: float = option(10.0, number(0.01, 50), "Lists of devices a second for `sync_devices`.")
    REDIS_URL: str | None = option(
        None,
        matching(r"(rediss?|unix)://\S+", "a redis:// URL"),
        "The Redis in which all processes share these two budgets; without one each process has its own.",
    )

    @classmethod
    def raw(cls) -> Any:
        return get_settings().COGNITO

    @property
    def region(self) -> str:
        """The pool's region."""
        return self.REGION or self.USER_POOL_ID.partition("_")[0]

    @property
    def issuer(self) -> str:
        """What ``iss`` says in its tokens; the JWKS is below it."""
        if self.ISSUER:
            return self.ISSUER.rstrip("/")
        if self.ENDPOINT_URL:
            return f"{self.ENDPOINT_URL.rstrip('/')}/{self.USER_POOL_ID}"
        domain = "amazonaws.com.cn" if self.region.startswith("cn-") else "amazonaws.com"
        return f"https://cognito-idp.{self.region}.{domain}/{self.USER_POOL_ID}"


NAME = Options.name()
get_options = Options.get
