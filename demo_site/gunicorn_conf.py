"""How the demo's web server runs. Gunicorn, because it is what a site would use: it serves with ``DEBUG`` off, answers
several requests at once from threads, and ends cleanly on SIGTERM."""

worker_class = "gthread"
workers = 1
threads = 8
graceful_timeout = 5
accesslog = "-"
# The control socket would be a file in the user's home directory.
control_socket_disable = True
