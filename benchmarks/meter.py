"""CPU time of this process and of the database, and requests made straight to the WSGI application.

Time on the clock says little on a machine that others use; CPU time hardly changes. For PostgreSQL the backend's
own count is added (`/proc/<pid>/schedstat`, nanoseconds); parallel workers are switched off for the run, so that
all of a query's work is in that one count.
"""

import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.test import Client

from drivercrm.accounts.models import User
from drivercrm.config.wsgi import application


@dataclass(frozen=True)
class Request:
    """One request; a form is sent with the CSRF token, JSON as it is."""

    path: str
    method: str = "GET"
    form: dict[str, str] | None = None
    json: bytes | None = None


@dataclass(frozen=True)
class Answer:
    """What came back, and what it cost in seconds."""

    status: int
    body: bytes
    headers: dict[str, str]
    app_cpu: float
    database_cpu: float
    wall: float

    @property
    def cpu(self) -> float:
        """Application and database together."""
        return self.app_cpu + self.database_cpu


def _no_parallel_workers(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET max_parallel_workers_per_gather = 0")


connection_created.connect(_no_parallel_workers)


def _backend_cpu() -> float:
    """Seconds that the PostgreSQL backend of this thread's connection has worked; 0 on SQLite."""
    if connection.vendor == "sqlite" or connection.connection is None:
        return 0.0
    pid = connection.connection.info.backend_pid
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


@dataclass
class Browser:
    """Somebody signed in, or a program with a token, who calls the application without a socket between."""

    cookies: dict[str, str] = field(default_factory=dict)
    token: str = ""

    @classmethod
    def of(cls, user: User) -> "Browser":
        client = Client()
        client.force_login(user)
        jar = {name: morsel.value for name, morsel in client.cookies.items()}
        return cls({**jar, "csrftoken": "a" * 32})

    def ask(self, request: Request) -> Answer:
        """Makes one request and reads the answer whole."""
        environ, found = self._environ(request), {}

        def start_response(status: str, headers: list[tuple[str, str]], *_: object) -> None:
            found["status"], found["headers"] = int(status.split(maxsplit=1)[0]), dict(headers)

        backend = _backend_cpu()
        began, cpu = time.perf_counter(), time.process_time()
        response = application(environ, start_response)
        body = b"".join(response)
        close = getattr(response, "close", None)
        if close:
            close()
        cpu, wall = time.process_time() - cpu, time.perf_counter() - began
        return Answer(found["status"], body, found["headers"], cpu, _backend_cpu() - backend, wall)

    def _environ(self, request: Request) -> dict[str, Any]:
        path, _, query = request.path.partition("?")
        body = request.json or b""
        kind = "application/json" if request.json else ""
        if request.form is not None:
            body = urlencode(request.form).encode()
            kind = "application/x-www-form-urlencoded"
        environ = {
            "REQUEST_METHOD": request.method,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "SCRIPT_NAME": "",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": settings.ALLOWED_HOSTS[0],
            "HTTP_USER_AGENT": "benchmark",
            "CONTENT_LENGTH": str(len(body)),
            "CONTENT_TYPE": kind,
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        if self.token:
            environ["HTTP_AUTHORIZATION"] = f"Bearer {self.token}"
        if self.cookies:
            environ["HTTP_COOKIE"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
            environ["HTTP_X_CSRFTOKEN"] = self.cookies.get("csrftoken", "")
        return environ


@contextmanager
def listening() -> Iterator[list[tuple[str, Any, float]]]:
    """Inside, every statement is noted with its parameters and its seconds on the clock."""
    heard: list[tuple[str, Any, float]] = []

    def note(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        began = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            heard.append((sql, params, time.perf_counter() - began))

    with connection.execute_wrapper(note):
        yield heard


def pace() -> float:
    """Milliseconds of CPU for a fixed piece of plain Python: how fast the machine is just now.

    Two virtual processors that share a core run at half speed when both are busy, and CPU time with them.
    """
    began = time.process_time()
    words = {str(n): n for n in range(1_500)}
    sorted(words, key=lambda word: (words[word] % 97, word))
    return (time.process_time() - began) * 1000
