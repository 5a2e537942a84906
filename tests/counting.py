"""How many questions a page asks the database."""

from collections.abc import Callable

from django.db import connection
from django.test.utils import CaptureQueriesContext


def queries_of(work: Callable[[], object]) -> int:
    """The number of queries, taken before anything else runs: the next request would empty the log."""
    with CaptureQueriesContext(connection) as asked:
        work()
        return len(connection.queries_log) - asked.initial_queries
