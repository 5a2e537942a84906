"""`demo`: a working CRM with invented drivers, one command away."""

import sys
from ipaddress import ip_address
from time import monotonic
from typing import Annotated

import django
from cyclopts import Parameter

from drivercrm.config import environment


def demo(
    *,
    drivers: Annotated[int, Parameter(help="How many drivers to invent.")] = 320,
    days: Annotated[int, Parameter(help="How many days of history.")] = 60,
    seed: Annotated[int, Parameter(help="The same seed gives the same people and dates.")] = 7,
    serve: Annotated[bool, Parameter(help="Serve it afterwards, on loopback.")] = True,
    clear: Annotated[
        bool, Parameter(help="Remove the demo's drivers, accounts and settings instead.")
    ] = False,
    bind: str = "",
) -> int:
    """Fills an empty database with a synthetic history, prints one sign-in per role, and serves it.

    A database that holds demo drivers already is served as it is; one that holds anybody else is refused. A demo
    that was interrupted while it was filled is begun again.

    Parameters
    ----------
    bind
        Address and port (DRIVERCRM_BIND, else 127.0.0.1:8000), on loopback: everybody knows the passwords.
    """
    django.setup()
    address = bind or environment.text("DRIVERCRM_BIND") or "127.0.0.1:8000"
    if serve and not clear:
        _refuse_unless_loopback(address)
    from drivercrm.accounts.models import DEMO_DOMAIN  # app ready
    from drivercrm.cli import serving, synthetic  # app ready
    from drivercrm.config import restore, upgrade  # app ready
    from drivercrm.core.errors import Refused  # app ready
    from drivercrm.drivers.models import Driver  # app ready

    if upgrade.pending():
        upgrade.migrate(say=_say)
    if clear:
        _say(f"{synthetic.clear()} demo drivers removed. The demo’s accounts and settings are gone too.")
        return 0
    if Driver.objects.filter(is_demo=False).exists():
        raise Refused(
            "not_a_demo",
            "This database holds real drivers. Set DRIVERCRM_DATA_DIR to an empty folder for the demo.",
        )
    is_half = synthetic.is_half_filled()
    if is_half or not Driver.objects.exists():
        if is_half:
            _say("The demo was interrupted while it was filled. It begins again.")
        began = monotonic()
        with restore.alone():
            made = synthetic.fill(synthetic.Options(drivers, days, seed), say=_progress)
        _progress("")
        _say(f"{made} invented drivers over {days} days, in {monotonic() - began:.0f} seconds.")
    _say("Sign in with one of these; the password is the same for all:")
    for name, mail, role in synthetic.TEAM:
        _say(f"  {role.label:<11} {mail}{DEMO_DOMAIN}  {synthetic.PASSWORD}  ({name})")
    if not serve:
        return 0
    _say(f"Open http://{address}")
    return serving.serve(bind=address)


def _refuse_unless_loopback(bind: str) -> None:
    from drivercrm.config import server  # slow import
    from drivercrm.core.errors import Refused  # app ready

    host = server.read_bind(bind).host
    try:
        is_loopback = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise Refused(
            "not_loopback",
            f"The demo’s passwords are published, so it is not served on {host}. Use --bind 127.0.0.1:8000.",
        )


def _say(sentence: str) -> None:
    print(sentence, flush=True)


def _progress(sentence: str) -> None:
    """One line that is written over; nothing where nobody watches."""
    if sys.stdout.isatty():
        print(f"\r\x1b[K{sentence}", end="", flush=True)
