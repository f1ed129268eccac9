"""A proxy and a child of the user model: Django announces their saves under their own names."""

from django.contrib.auth.models import User
from django.db import models


class Employee(User):
    """A proxy."""

    class Meta:
        proxy = True


class Customer(User):
    """A child with a table of its own."""

    number = models.CharField(max_length=20)
