"""The `drivercrm` command (spec §9). Exit codes: 0 done, 1 refused or rows to review, 2 wrong use."""

import os
import sys
import traceback
from importlib.metadata import version

from cyclopts import App

# name → (where it is, what it does); a command's module is loaded when the command is called, not before
COMMANDS: dict[str, tuple[str, str]] = {
    "serve": ("drivercrm.cli.serving:serve", "Web pages, API and background work in one process."),
    "demo": ("drivercrm.cli.demo:demo", "A working CRM with invented drivers, served on loopback."),
    "worker": ("drivercrm.cli.serving:worker", "Background work alone, beside other processes that serve."),
    "carry-jobs": ("drivercrm.cli.serving:carry_jobs", "Moves waiting jobs into the chosen engine."),
    "migrate": ("drivercrm.cli.serving:migrate", "Brings the database to this version."),
    "import-drivers": ("drivercrm.cli.importing:import_drivers", "Reads a list of drivers, and lets it in."),
    "create-user": ("drivercrm.cli.people:create_user", "Adds a member of staff."),
    "create-token": ("drivercrm.cli.people:create_token", "Makes an API token and prints it once."),
    "backup": ("drivercrm.cli.keeping:backup", "Writes the database and the uploads into one file."),
    "restore": ("drivercrm.cli.keeping:restore", "Puts a backup back."),
    "hold": ("drivercrm.cli.keeping:hold", "Stops sending and exporting, as a restore does."),
    "release": ("drivercrm.cli.keeping:release", "Ends a hold: this database is the one that works."),
    "rebuild": ("drivercrm.cli.checking:rebuild", "Works out every derived value again from the facts."),
    "doctor": ("drivercrm.cli.checking:doctor", "Looks for what is wrong with this installation."),
}


def make_app() -> App:
    """The command with all its subcommands."""
    app = App(
        name="drivercrm",
        help="Driver CRM: brings a ride-hailing company's drivers through onboarding.",
        version=lambda: version("drivercrm"),
    )
    for name, (place, says) in COMMANDS.items():
        app.command(place, name=name, help=says)
    return app


def main(words: list[str] | None = None) -> None:
    """Runs one command and ends the process with its exit code; an error is one sentence on standard error."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "drivercrm.config.settings")
    try:
        code = make_app()(words if words is not None else sys.argv[1:], result_action="return_value")
    except KeyboardInterrupt:
        code = 130
    except Exception as error:
        code = _refuse(error)
    sys.exit(code if isinstance(code, int) else 0)


def _refuse(error: Exception) -> int:
    """Says what went wrong in one sentence; the traceback is for those who switched debugging on."""
    from django.core.exceptions import ImproperlyConfigured  # slow import
    from django.db.utils import OperationalError, ProgrammingError  # slow import

    from drivercrm.core.errors import Refused  # slow import

    code = 1
    if isinstance(error, Refused):
        sentence = error.sentence
    elif isinstance(error, ImproperlyConfigured):
        sentence, code = str(error), 2
    elif isinstance(error, OperationalError | ProgrammingError):
        first_line = next(iter(str(error).splitlines()), "")
        sentence = f"The database refused: {first_line}"
    else:
        sentence = f"Something unexpected happened: {type(error).__name__}: {error}"
    if os.environ.get("DRIVERCRM_DEBUG", "").lower() in {"1", "true", "yes", "on"}:
        traceback.print_exception(error)
    print(sentence, file=sys.stderr)
    return code
