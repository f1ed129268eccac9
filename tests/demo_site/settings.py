"""The demo's settings, with passwords whose hash costs nothing: most programs that tests start make or check some."""

from demo_site.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
