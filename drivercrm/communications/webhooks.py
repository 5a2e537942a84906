"""The vendors knock: verify on the raw bytes, keep them, answer 200; what they mean is found out later (spec §5.3)."""

from contextlib import closing

import structlog
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from drivercrm.accounts.permissions import public
from drivercrm.channels.provider import Knock
from drivercrm.communications import workflow as communications
from drivercrm.communications.enums import AccountState
from drivercrm.communications.models import ChannelAccount

log = structlog.get_logger("drivercrm.webhooks")


@csrf_exempt
@require_http_methods(["GET", "POST"])
@public
def hook(request: HttpRequest, token: str) -> HttpResponse:
    """One knock at an account's own address. Not genuine: 403, and nothing is kept. Genuine: kept, then 200."""
    account = ChannelAccount.objects.filter(hook_token=token).exclude(state=AccountState.DISCONNECTED).first()
    if account is None:
        return HttpResponse("There is no such address.", status=404, content_type="text/plain")
    knock = Knock(
        method=str(request.method),
        query={**{name: str(value) for name, value in request.GET.items()}, "token": token},
        headers={name.lower(): value for name, value in request.headers.items()},
        body=request.body,
    )
    with closing(communications.provider_of(account)) as provider:
        if knock.method == "GET":
            greeting = provider.greeting(knock)
            return _plain(greeting, 200) if greeting is not None else _plain("Not for you.", 403)
        if not provider.is_genuine(knock):
            communications.note_forged(account)
            log.warning("a webhook was not genuine", channel=account.channel, bytes=len(knock.body))
            return _plain("The signature is wrong.", 403)
    if knock.body:
        communications.keep(account, [knock.body])
    return _plain("", 200)


def _plain(text: str, status: int) -> HttpResponse:
    return HttpResponse(text, status=status, content_type="text/plain")
