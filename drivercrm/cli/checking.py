"""`rebuild` and `doctor`."""

import json as jsons
from typing import Annotated

import django
from cyclopts import Parameter

AsJson = Annotated[bool, Parameter(name="--json", help="Print the result as JSON.")]


def rebuild(*, json: AsJson = False) -> int:
    """Works out every derived value again from the facts, and prints how many were wrong: it should be none."""
    django.setup()
    from drivercrm.config import rooms, upgrade  # app ready

    upgrade.refuse_unless_migrated()
    wrong = rooms.rebuild()
    total = sum(wrong.values())
    if json:
        print(jsons.dumps({"wrong": total, "by_value": wrong}, indent=1))
        return 0
    for value, count in wrong.items():
        print(f"{count:>8}  {value}")
    print(f"{total} values were wrong and are right now." if total else "Nothing was wrong.")
    return 0


def doctor(*, json: AsJson = False) -> int:
    """Looks for what is wrong with this installation: exit 1 when something must be done."""
    django.setup()
    from drivercrm.config import health  # app ready

    findings = health.examine()
    if json:
        rows = [{"check": found.check, "state": found.state, "says": found.says} for found in findings]
        print(jsons.dumps({"ok": all(row["state"] != "wrong" for row in rows), "checks": rows}, indent=1))
    else:
        signs = {"right": "✓", "note": "!", "wrong": "✗"}
        for found in findings:
            print(f"{signs[found.state]} {found.check}: {found.says}")
    return 1 if any(found.state == "wrong" for found in findings) else 0
