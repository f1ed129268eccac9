"""URLs of the demo site."""

from django.conf import settings
from django.contrib import admin
from django.templatetags.static import static
from django.urls import include, path
from django.views.generic import RedirectView

from demo_site import security_views, views

handler400 = "demo_site.views.bad_request"
urlpatterns = [
    path("", views.home, name="home"),
    path("mail/", views.mail, name="mail"),
    path("favicon.ico", RedirectView.as_view(url=static("demo_site/icon.svg")), name="favicon"),
    path("healthz", views.health, name="health"),
    path("", include("demo_site.api_urls")),
    path("cognito-idp/", include("trusted_devices.cognito_idp.urls")),
    path("admin/", admin.site.urls),
    path("", include("trusted_devices.urls")),
]
if not settings.POOL_URL:
    # With a user pool, passwords and second factors are the pool's.
    urlpatterns += [
        path("security/", security_views.security, name="security"),
        path("security/authenticator/", security_views.set_up, name="set_up"),
        path("security/recovery-codes/", security_views.recovery_codes, name="recovery_codes"),
        path("security/turn-off/", security_views.remove, name="remove"),
        path("security/password/", security_views.ChangePassword.as_view(), name="change_password"),
    ]
