"""Texts with named variables: filled for one driver, never with a hole (spec §5.4)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from drivercrm.accounts.models import Organisation
from drivercrm.communications.models import MessageTemplate
from drivercrm.core.errors import Refused
from drivercrm.drivers.models import Driver

VARIABLE = re.compile(r"\{\{\s*([a-z_][a-z0-9_]*)\s*\}\}")


@dataclass(frozen=True)
class Filled:
    """A text for one driver, and the value of each of its variables."""

    subject: str
    body: str
    values: dict[str, str]


def variables_of(template: MessageTemplate) -> list[str]:
    """The names of a template's variables, in their order, each once."""
    found = VARIABLE.findall(f"{template.subject}\n{template.body}")
    return list(dict.fromkeys(found))


def known_values(driver: Driver) -> dict[str, str]:
    """What every template may say of a driver; empty where nothing is known."""
    return {
        "name": driver.name,
        "first_name": driver.greeting.split()[0] if driver.greeting else "",
        "area": driver.area,
        "organisation": Organisation.current().name,
    }


def fill(template: MessageTemplate, driver: Driver, given: Mapping[str, str] | None = None) -> Filled:
    """The text for one driver. Refuses to leave a hole, and names it."""
    known = known_values(driver) | {name: value for name, value in (given or {}).items() if value}
    names = variables_of(template)
    missing = [name for name in names if not known.get(name, "").strip()]
    if missing:
        raise Refused(
            "hole",
            f"“{template.name}” needs {', '.join(missing)}, which is not known of {driver.greeting}.",
            field="values",
        )
    values = {name: known[name] for name in names}

    def put(text: str) -> str:
        return VARIABLE.sub(lambda found: values[found[1]], text)

    return Filled(put(template.subject), put(template.body), values)
