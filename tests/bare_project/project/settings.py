"""A bare project: what ``startproject`` makes, and what the README says."""

SECRET_KEY = "only-for-a-test-" + "x" * 40
ALLOWED_HOSTS = ["bare.example.com"]
ROOT_URLCONF = "urls"
AUTH_USER_MODEL = "people.Person"
INSTALLED_APPS = [
    "trusted_devices.admin_site.TrustedDevicesAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "people",
    "trusted_devices",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.strict",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "trusted_devices.middleware.DeviceKeyMiddleware",
]
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
        },
    },
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
STATIC_URL = "static/"
STATIC_ROOT = "collected"
LOGIN_URL = "trusted_devices:sign_in"
LOGIN_REDIRECT_URL = "home"
TRUSTED_DEVICES = {"MFA": "codes.ListedCodes"}
# Nothing guards this project against guessing, and it knows.
SILENCED_SYSTEM_CHECKS = ["trusted_devices.W004"]
