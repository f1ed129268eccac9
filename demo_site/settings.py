"""Settings of the demo site. What the environment decides is in ``demo_site.environment``."""

import os
from datetime import timedelta

from demo_site import environment

BASE_DIR = environment.BASE_DIR
DEMO_DIR = environment.demo_dir(os.environ)
PORT = os.environ.get("PORT") or "8000"
HTTPS = environment.flag(os.environ, "HTTPS")

DEBUG = environment.flag(os.environ, "DEBUG")
SECRET_KEY = environment.secret_key(os.environ, DEMO_DIR)
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]"]

INSTALLED_APPS = [
    "trusted_devices.admin_site.TrustedDevicesAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "django_otp.plugins.otp_email",
    "axes",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "trusted_devices",
    "trusted_devices.cognito_idp",
    "demo_site",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "demo_site.middleware.ContentSecurityPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "trusted_devices.middleware.DeviceKeyMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "demo_site.urls"
WSGI_APPLICATION = "demo_site.wsgi.application"
ASGI_APPLICATION = "demo_site.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "demo_site.pool.pool_url",
            ],
        },
    },
]

DATABASES = {"default": environment.database(os.environ, DEMO_DIR)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {"default": environment.cache(os.environ, DEMO_DIR)}

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"
WHITENOISE_USE_FINDERS = True

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
CSRF_COOKIE_HTTPONLY = True

EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = DEMO_DIR / "mail"
DEFAULT_FROM_EMAIL = "Demo site <demo@example.com>"

LOGIN_URL = "trusted_devices:sign_in"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "home"
CSRF_FAILURE_VIEW = "trusted_devices.web.views.csrf_failure"

AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]

# Guessing passwords: ten wrong ones for a user from an address, or from an address whoever they were for, close that
# door for five minutes. The sign-in page tells people so itself, hence no axes middleware.
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = timedelta(minutes=5)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"], "ip_address"]
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
# What was typed as a code is not kept with the attempt; django-axes leaves passwords out by itself.
AXES_SENSITIVE_PARAMETERS = ["username", "ip_address", "code"]
SILENCED_SYSTEM_CHECKS = ["axes.W002"]

OTP_TOTP_ISSUER = "Device trust demo"
# Codes from a clock that drifts are accepted a step early or late, but never move the window for good.
OTP_TOTP_SYNC = False
OTP_ADMIN_HIDE_SENSITIVE_DATA = True
OTP_EMAIL_SENDER = DEFAULT_FROM_EMAIL
OTP_EMAIL_SUBJECT = "Your sign-in code"
OTP_EMAIL_COOLDOWN_DURATION = 20

TRUSTED_DEVICES = {
    "MFA": "trusted_devices.mfa.otp.OTPProvider",
    # Two minutes, so that a trust can be watched expiring.
    "PERIODS": [timedelta(minutes=2), timedelta(days=30), timedelta(days=60), timedelta(days=90)],
    "DEFAULT_PERIOD": timedelta(days=60),
    "MAX_PERIOD": timedelta(days=90),
    "STAFF_MAX_PERIOD": timedelta(days=30),
    "COOKIE_SECURE": HTTPS,
    "MFA_SETUP_URL": "security",
    "BULK_RUNNER": "trusted_devices.tasks.start_bulk_operation",
    "COGNITO_IDP": {
        "ENDPOINT": f"http://127.0.0.1:{PORT}/cognito-idp",
        "REGION": "us-east-1",
        "SMS_SENDER": "trusted_devices.cognito_idp.senders.console",
    },
}

POOL = environment.pool_facts(os.environ, DEMO_DIR)
POOL_URL = POOL.get("url", "")
if POOL:
    environment.lend_credentials(os.environ, POOL)
    TRUSTED_DEVICES |= {
        "BACKEND": "cognito",
        "COGNITO": environment.cognito(os.environ, POOL),
        "MFA": None,
        "MFA_SETUP_URL": f"{POOL_URL}/security/",
        # Cookies know no ports, and the pool is a site on the same host.
        "COOKIE_NAME": "cognito_trusted_device",
    }
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "cognito_sessionid", "cognito_csrftoken"
    # It warns that nobody is asked for a second factor; here the pool asks.
    SILENCED_SYSTEM_CHECKS += ["trusted_devices.W001"]

CELERY_BROKER_URL, CELERY_BROKER_TRANSPORT, CELERY_BROKER_TRANSPORT_OPTIONS = environment.broker(os.environ, DEMO_DIR)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TIMEZONE = TIME_ZONE
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Trusted devices",
    "DESCRIPTION": "What users and staff do with trusted devices. Sign in to the site first to try it out.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "/api/",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": None,
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {"trusted_devices": {"level": "INFO"}, "django.request": {"level": "ERROR"}},
}
