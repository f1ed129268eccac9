"""Sites without the extra."""

import runpy
import sys

import pytest
from django.core.exceptions import ImproperlyConfigured

from trusted_devices import api


@pytest.mark.parametrize("missing", ["rest_framework", "django_filters", "drf_spectacular"])
def test_one_sentence_names_the_extra_where_it_is_missing(missing, monkeypatch):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImproperlyConfigured, match=r"needs the extra .api.: pip install .django-device-trust\[api\]"):
        runpy.run_path(api.__file__)
