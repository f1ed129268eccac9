"""A database that fails in the middle of something."""

import re
from contextlib import contextmanager

from django.db import OperationalError, connection


@contextmanager
def broken(pattern):
    """Let the database refuse the statements that match ``pattern``, with an error of its own; yield those refused."""
    refused = []

    def refuse(execute, sql, params, many, context):
        if not re.search(pattern, sql):
            return execute(sql, params, many, context)
        refused.append(sql)
        return execute("SELECT nothing FROM no_such_table", None, False, context)

    with connection.execute_wrapper(refuse):
        yield refused


@contextmanager
def away(pattern):
    """Let the connection be lost at the statements that match ``pattern``, as far as their sender can tell."""

    def lose(execute, sql, params, many, context):
        if re.search(pattern, sql):
            raise OperationalError("server closed the connection unexpectedly: secret-of-a-row")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(lose):
        yield


@contextmanager
def overlooked(pattern, table):
    """Let the first query that matches ``pattern`` find nothing, as if what it looks for were not committed yet."""
    pending = [pattern]

    def overlook(execute, sql, params, many, context):
        if pending and re.search(pattern, sql):
            pending.pop()
            return execute(f"SELECT 1 FROM {table} WHERE 1 = 0", None, False, context)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(overlook):
        yield
    assert not pending, "nothing was overlooked"


@contextmanager
def answer_lost(pattern):
    """Let the database commit what the first statement that matches ``pattern`` did, and nobody hear of it."""
    seen, commit = [], connection.commit

    def watch(execute, sql, params, many, context):
        if re.search(pattern, sql):
            seen.append(sql)
        return execute(sql, params, many, context)

    def lose():
        commit()
        if seen:
            connection.commit = commit
            raise OperationalError("The server closed the connection.")

    with connection.execute_wrapper(watch):
        connection.commit = lose
        try:
            yield
        finally:
            connection.commit = commit
    assert seen, "no answer was lost"


@contextmanager
def interrupted(pattern, act):
    """Do ``act`` once, right before the first statement that matches ``pattern``, as another process might."""
    pending = [act]

    def interrupt(execute, sql, params, many, context):
        if pending and re.search(pattern, sql):
            pending.pop()()
        return execute(sql, params, many, context)

    with connection.execute_wrapper(interrupt):
        yield
    assert not pending, "nothing was interrupted"
