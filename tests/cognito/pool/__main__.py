"""Serves the pool on the port that ``POOL_PORT`` names, until its standard input ends."""

import faulthandler
import os
import sys
import threading

import django
from django.core.management import call_command
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler


class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        pass


def main():
    faulthandler.dump_traceback_later(90, exit=True)
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.cognito.pool.settings"
    django.setup()
    from django.core.handlers.wsgi import WSGIHandler
    from django.test.utils import setup_test_environment

    setup_test_environment(debug=False)
    call_command("migrate", run_syncdb=True, verbosity=0, interactive=False)
    server = ThreadedWSGIServer(("127.0.0.1", int(os.environ["POOL_PORT"])), Quiet)
    server.set_app(WSGIHandler())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    faulthandler.cancel_dump_traceback_later()
    print("ready", flush=True)  # noqa: T201
    sys.stdin.read()
    server.shutdown()


main()
