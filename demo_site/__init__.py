"""A complete small site that uses trusted_devices the way a customer would."""

from demo_site.celery import app as celery_app

__all__ = ["celery_app"]
