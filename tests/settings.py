"""Settings of the test project: SQLite in memory, or the server that ``TEST_DATABASE`` names."""

import os
from datetime import timedelta

SUFFIX = os.environ.get("TEST_DATABASE_SUFFIX", "")
"""Keeps apart the test databases of runs that share a server."""

DATABASES_BY_NAME = {
    "sqlite": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": ":memory:",
        # Where the database is a file, nobody needs it after a crash of the machine.
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20, "init_command": "PRAGMA synchronous=OFF;"},
    },
    "postgres": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": os.environ.get("PGHOST", "127.0.0.1"),
        "USER": os.environ.get("PGUSER", "postgres"),
        "PASSWORD": os.environ.get("PGPASSWORD", ""),
        "NAME": "postgres",
        "TEST": {"NAME": "test_trusted_devices" + SUFFIX},
    },
    "mariadb": {
        "ENGINE": "django.db.backends.mysql",
        "HOST": os.environ.get("MARIADB_HOST", "127.0.0.1"),
        "USER": os.environ.get("MARIADB_USER", "root"),
        "PASSWORD": os.environ.get("MARIADB_PASSWORD", ""),
        "NAME": "test",
        "OPTIONS": {"charset": "utf8mb4"},
        "TEST": {"NAME": "test_trusted_devices" + SUFFIX, "CHARSET": "utf8mb4"},
    },
}
DATABASES = {
    "default": DATABASES_BY_NAME[os.environ.get("TEST_DATABASE", "sqlite")],
    # For sites that keep their tables in another one. It is made only where a test asks for it.
    "elsewhere": {**DATABASES_BY_NAME["sqlite"], "TEST": {"DEPENDENCIES": []}},
}
if name := os.environ.get("TEST_DATABASE_NAME"):
    # A process that a test started works on that test's own database.
    DATABASES["default"]["NAME"] = name
if folder := os.environ.get("TEST_CACHE_FOLDER"):
    # As above, with the cache.
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": folder}}
REDIS_HOST = os.environ.get("REDIS_HOST", "127.0.0.1")
REDIS_PORT = int(os.environ.get("REDIS_PORT", "6379"))
SILENCED_SYSTEM_CHECKS = [
    # MariaDB ignores the condition of the sweep's index, which is built to serve without it.
    "models.W037",
]

SECRET_KEY = "only-for-tests-" + "x" * 40
USE_TZ = True
TIME_ZONE = "UTC"
ALLOWED_HOSTS = ["testserver", "127.0.0.1", "localhost"]
ROOT_URLCONF = "tests.urls"
STATIC_URL = "static/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
LOGIN_URL = "trusted_devices:sign_in"
LOGIN_REDIRECT_URL = "home"
INSTALLED_APPS = [
    "trusted_devices",
    "trusted_devices.cognito_idp",
    "trusted_devices.admin_site.TrustedDevicesAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_hotp",
    "django_otp.plugins.otp_email",
    "django_otp.plugins.otp_static",
    "axes",
    "rest_framework",
    "rest_framework.authtoken",
    "django_filters",
    "drf_spectacular",
    "tests.host",
]
# Other apps' tables are made as their models say: their fifty migrations would take longer than most folders of tests.
MIGRATION_MODULES = dict.fromkeys(
    ["auth", "authtoken", "axes", "contenttypes", "otp_email", "otp_hotp", "otp_static", "otp_totp", "sessions"]
)
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "trusted_devices.middleware.DeviceKeyMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AXES_ENABLED = False
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
            "string_if_invalid": "",
        },
    }
]
TRUSTED_DEVICES = {
    "MFA": "trusted_devices.mfa.otp.OTPProvider",
    "COOKIE_SECURE": False,
    "COGNITO_IDP": {
        "ENDPOINT": "http://testserver/cognito-idp",
        "REGION": "us-east-1",
        "SMS_SENDER": "trusted_devices.cognito_idp.senders.remember",
    },
}
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.SessionAuthentication",
        "rest_framework.authentication.TokenAuthentication",
        "rest_framework_simplejwt.authentication.JWTAuthentication",
        "rest_framework.authentication.BasicAuthentication",
    ],
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Trusted devices",
    "DESCRIPTION": "What users and staff do with trusted devices.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "/api/",
    "SERVE_INCLUDE_SCHEMA": False,
}
