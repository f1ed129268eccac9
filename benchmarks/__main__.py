"""``python -m benchmarks``: the figures that the documentation quotes. Ratios within one run; nothing is asserted."""

from __future__ import annotations

import os

import django


def main() -> None:
    """Print every figure on a fresh SQLite database in memory, or on the server that ``TEST_DATABASE`` names."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    from django.db import connection
    from django.test.utils import setup_test_environment, teardown_test_environment

    from benchmarks import srp, trust

    setup_test_environment(debug=False)
    name = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0)
    try:
        trust.main()
        print()
        srp.main()
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)
        teardown_test_environment()


main()
