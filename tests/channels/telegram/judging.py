"""Calls of the Bot API, judged by models that we did not write: aiogram's, generated from Telegram's own pages."""

import json

import pytest

from tests.emulators.bot_api import Call

WORDS = {"text", "caption", "url", "secret_token", "file_id"}


def judge(call: Call) -> None:
    """The parameters of a call, by models that we did not write."""
    methods = pytest.importorskip("aiogram.methods")
    names = {name.lower(): name for name in methods.__all__}
    model = getattr(methods, names[call.method.lower()])
    values = {name: value if name in WORDS else json.loads(value) for name, value in call.params.items()}
    upload = pytest.importorskip("aiogram.types").BufferedInputFile(b"x", "x")
    values |= {name: upload for name in call.files if name in model.model_fields}
    model.model_validate(values)
    assert call.params.keys() <= model.model_fields.keys()
