"""A Cognito for devices: unmodified AWS clients sign in, confirm, remember and forget devices against a Django site.

An optional second app with tables of its own. Add ``"trusted_devices.cognito_idp"`` to ``INSTALLED_APPS`` and
``path("cognito-idp/", include("trusted_devices.cognito_idp.urls"))`` to the routes.
"""
