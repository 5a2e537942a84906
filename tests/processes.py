"""Starts other processes on the test database, for what only two processes can show."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from urllib.parse import quote

from django.db import connection

PRELUDE = """
import os, sys, time
import django
django.setup()
start = float(os.environ["START_AT"])
time.sleep(max(0.0, start - time.time()))
"""


def database_url() -> str:
    """The address of the test database."""
    at = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{at['NAME']}"
    return f"postgres://{at['USER']}:{quote(at['PASSWORD'])}@{at['HOST']}:{at['PORT']}/{at['NAME']}"


def environment(**more: str) -> dict[str, str]:
    """The environment in which another process sees the test database."""
    return os.environ | {
        "DATABASE_URL": database_url(),
        "DJANGO_SETTINGS_MODULE": "drivercrm.config.settings",
        "PYTHONPATH": str(Path.cwd()),
        **more,
    }


def run_together(*programs: str, at: float) -> list[str]:
    """Runs programs (Python text) in processes of their own that begin at one moment; returns what each printed."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PRELUDE + textwrap.dedent(program)],
            env=environment(START_AT=str(at)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for program in programs
    ]
    printed = []
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        printed.append(out.strip())
    return printed
