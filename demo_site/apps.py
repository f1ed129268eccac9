"""The demo site as a Django app: its commands and static files."""

from django.apps import AppConfig


class DemoSiteConfig(AppConfig):
    """``demo_site`` in ``INSTALLED_APPS``."""

    name = "demo_site"
    verbose_name = "Demo site"
