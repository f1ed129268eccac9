"""Routes without the endpoint."""

urlpatterns = []
