"""Rules about the code itself (house §8)."""

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest
from django.apps import apps
from django.template import engines

from drivercrm.journal.events import Event

PACKAGE = Path(__file__).resolve().parents[2] / "drivercrm"
ROOMS = sorted(folder.name for folder in PACKAGE.iterdir() if (folder / "apps.py").exists())

# field → the only modules that may assign it
GUARDED = {
    "onboarding_status": ("drivers/workflow/status.py", "drivers/workflow/rebuild.py"),
    "payment_status": ("rewards/workflow.py",),
}


def modules() -> list[Path]:
    return [path for path in PACKAGE.rglob("*.py") if "migrations" not in path.parts]


def assigned_names(tree: ast.AST) -> set[str]:
    """Attributes that are assigned, and keywords of `.update(…)` and `setattr(…, "name", …)`."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {
                part.attr
                for target in targets
                for part in ast.walk(target)
                if isinstance(part, ast.Attribute)
            }
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "update":
            found |= {keyword.arg for keyword in node.keywords if keyword.arg}
    return found


@pytest.mark.parametrize("field", GUARDED)
def test_a_status_moves_only_in_its_own_workflow(field: str) -> None:
    offenders = [
        str(path.relative_to(PACKAGE))
        for path in modules()
        if field in assigned_names(ast.parse(path.read_text()))
        and str(path.relative_to(PACKAGE)) not in GUARDED[field]
    ]
    assert offenders == []


def test_the_guard_would_see_an_assignment() -> None:
    code = "driver.onboarding_status = 'active'\nDriver.objects.update(payment_status='paid')"
    assert {"onboarding_status", "payment_status"} <= assigned_names(ast.parse(code))


def test_an_import_inside_a_function_gives_its_reason() -> None:
    reasons = ("# slow import", "# optional dependency", "# app ready")
    offenders = []
    for path in modules():
        lines = path.read_text().splitlines()
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for inner in ast.walk(node):
                if isinstance(inner, ast.Import | ast.ImportFrom):
                    line = lines[inner.lineno - 1]
                    if not line.rstrip().endswith(reasons):
                        offenders.append(f"{path.relative_to(PACKAGE)}:{inner.lineno}")
    assert offenders == []


def test_no_file_has_a_name_that_says_nothing() -> None:
    silent = {
        "utils",
        "helpers",
        "misc",
        "common",
        "manager",
        "managers",
        "service",
        "services",
        "handler",
        "base",
    }
    assert [str(path) for path in modules() if path.stem in silent] == []


def test_every_public_function_of_a_workflow_says_what_it_does() -> None:
    silent = []
    for path in modules():
        if "workflow" not in str(path.relative_to(PACKAGE)):
            continue
        for node in ast.parse(path.read_text()).body:
            if (
                isinstance(node, ast.FunctionDef)
                and not node.name.startswith("_")
                and not ast.get_docstring(node)
            ):
                silent.append(f"{path.relative_to(PACKAGE)}:{node.name}")
    assert silent == []


def test_every_event_says_what_happened_and_has_a_name_of_its_own() -> None:
    names: dict[str, str] = {}
    for room in ROOMS:
        if not (PACKAGE / room / "events.py").exists():
            continue
        for value in vars(import_module(f"drivercrm.{room}.events")).values():
            if isinstance(value, type) and issubclass(value, Event) and value is not Event:
                assert value.__doc__
                assert re.fullmatch(r"[a-z_]+\.[a-z_]+", value.name)
                assert names.setdefault(value.name, value.__qualname__) == value.__qualname__
    assert "driver.status_changed" in names


def test_every_seed_enum_is_checked_by_the_database() -> None:
    unchecked = []
    for model in apps.get_models():
        if not model.__module__.startswith("drivercrm."):
            continue
        checks = " ".join(str(constraint.deconstruct()) for constraint in model._meta.constraints)
        for field in model._meta.local_fields:
            if field.choices and field.name not in checks and field.name != "theme":
                unchecked.append(f"{model.__name__}.{field.name}")
    assert unchecked == []


def used_templates() -> set[str]:
    text = "\n".join(path.read_text() for path in [*modules(), *PACKAGE.rglob("templates/**/*.html")])
    return set(re.findall(r"[\w/-]+\.html", text))


def test_no_template_is_left_unused() -> None:
    by_django = {"400.html", "403.html", "404.html", "429.html", "500.html", "403_csrf.html"}
    by_allauth = re.compile(r"^(account|mfa|allauth)/")
    every = {
        str(path.relative_to(path.parents[len(path.parts) - path.parts.index("templates") - 2]))
        for path in PACKAGE.rglob("templates/**/*.html")
    }
    left = {name for name in every - used_templates() - by_django if not by_allauth.match(name)}
    assert left == set()


def test_every_template_renders_tags_that_exist() -> None:
    for path in PACKAGE.rglob("templates/**/*.html"):
        engines["django"].from_string(path.read_text())


def test_no_style_element_and_no_script_text_in_a_template() -> None:
    offenders = [
        path.name
        for path in PACKAGE.rglob("templates/**/*.html")
        if re.search(r"<style|<script(?![^>]*\bsrc=)|\son[a-z]+=\"", path.read_text())
    ]
    assert offenders == []
