"""`Idempotency-Key`: a POST that is sent again has one effect and one answer (spec §9, docs/api.md)."""

import hashlib
from collections.abc import Callable

from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse

from drivercrm.accounts.models import IdempotencyKey
from drivercrm.accounts.permissions import Access
from drivercrm.accounts.workflow.repeats import KEPT
from drivercrm.core import clock
from drivercrm.core.errors import Refused

HEADER = "Idempotency-Key"
LONGEST = 255
REPEATED = ("Content-Type", "Location", "ETag")


def once(request: HttpRequest, who: Access, run: Callable[[], HttpResponse]) -> HttpResponse:
    """Runs a POST, or answers as the first time when its key was used before.

    The key, the effect and the answer are written in one transaction: a crash leaves none of them, and of two
    with the same key at once the second waits for the first and gets its answer. A refused request has no
    effect, so its key stays free. Refuses a key that was used for another request.
    """
    key = request.headers[HEADER].strip()
    if not key or len(key) > LONGEST or not key.isprintable():
        raise Refused("bad_key", f"Use a key of 1 to {LONGEST} printable letters.", field=HEADER)
    asked = _hash(request)
    IdempotencyKey.objects.filter(actor=str(who.actor), key=key, created_at__lt=clock.now() - KEPT).delete()
    try:
        with transaction.atomic():
            row = IdempotencyKey.objects.create(actor=str(who.actor), key=key, request_hash=asked)
            response = run()
            if response.status_code >= 400:
                transaction.set_rollback(True)
                return response
            row.status, row.answer = response.status_code, response.content.decode()
            row.headers = {name: response[name] for name in REPEATED if response.has_header(name)}
            row.save(update_fields=["status", "answer", "headers"])
            return response
    except IntegrityError:
        known = IdempotencyKey.objects.filter(actor=str(who.actor), key=key).first()
        if known is None:  # something else than the key collided
            raise
    return _again(known, asked)


def _again(known: IdempotencyKey, asked: str) -> HttpResponse:
    if known.request_hash != asked:
        raise Refused("key_used", "This key was used for another request. Use a new one.", field=HEADER)
    response = HttpResponse(known.answer, status=known.status or 200)
    for name, value in known.headers.items():
        response[name] = value
    response["Idempotency-Replayed"] = "true"
    return response


def _hash(request: HttpRequest) -> str:
    """What was asked. A form with files counts by what is in it: its boundary is another at every attempt.

    Files are read piece by piece, because they may be larger than what a request may keep in memory.
    """
    kind = request.content_type or ""
    digest = hashlib.sha256(f"{request.get_full_path()}\n{kind}\n".encode())
    if kind != "multipart/form-data":
        digest.update(request.body)
        return digest.hexdigest()
    digest.update(repr(sorted(request.POST.lists())).encode())
    for name, files in sorted(request.FILES.lists()):
        for file in files:
            digest.update(repr((name, file.name, file.size)).encode())
            for chunk in file.chunks():
                digest.update(chunk)
            file.seek(0)
    return digest.hexdigest()
