"""Settings of the pool's process."""

import os

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES_BY_NAME
from tests.settings import TRUSTED_DEVICES as SITE

DATABASES = {"default": {**DATABASES_BY_NAME["sqlite"], "NAME": os.environ["POOL_DATABASE"]}}
ROOT_URLCONF = "tests.cognito.pool.urls"
SECRET_KEY = "the-pools-own-" + "y" * 40
AUTH_PASSWORD_VALIDATORS = [{"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"}]
OTP_TOTP_THROTTLE_FACTOR = 0
TRUSTED_DEVICES = {
    **SITE,
    "COGNITO_IDP": {**SITE["COGNITO_IDP"], "ENDPOINT": f"http://127.0.0.1:{os.environ['POOL_PORT']}/cognito-idp"},
}
