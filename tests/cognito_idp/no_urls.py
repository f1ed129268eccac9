"""Routes without the endpoint."""

urlpatterns: list[object] = []
