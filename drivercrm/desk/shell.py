"""What surrounds every page: navigation by role, pinned views, the person."""

from typing import Any

from django.http import HttpRequest


def shell(request: HttpRequest) -> dict[str, Any]:
    return {}
