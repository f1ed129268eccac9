"""The demo's settings, with passwords whose hash costs nothing."""

from demo_site.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
