"""First run, invitations, the own profile, and the settings of the organisation, team and tokens."""

from uuid import UUID

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.contrib.auth import login, update_session_auth_hash
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from drivercrm.accounts import queries
from drivercrm.accounts import workflow as accounts
from drivercrm.accounts.enums import Role
from drivercrm.accounts.forms import (
    ChangePasswordForm,
    FirstRunForm,
    InviteForm,
    JoinForm,
    NewPasswordForm,
    OrganisationForm,
    ProfileForm,
    RoleForm,
    Steps,
    TokenForm,
)
from drivercrm.accounts.models import ApiToken, Invitation, Organisation, User
from drivercrm.accounts.permissions import MAY, SAYS, Can, PageRequest, needs, public
from drivercrm.core.converters import read_row_number
from drivercrm.core.errors import Refused
from drivercrm.jobs import queries as jobs
from drivercrm.ui import toasts

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"
WRONG = 422
SHOWN_JOBS = 50


# Coming in


@public
@never_cache
@sensitive_post_parameters("password")
def first_run(request: HttpRequest) -> HttpResponse:
    """Makes the first admin and signs them in; gone for good once there is anybody."""
    if User.objects.exists():
        return redirect("account_login")
    form = FirstRunForm(request.POST or None)
    if form.is_valid():
        try:
            user = accounts.make_first_admin(**form.cleaned_data)
        except Refused as refusal:
            form.refuse(refusal)
        else:
            login(request, user, backend=BACKEND)
            return redirect("today")
    return render(request, "accounts/first_run.html", {"form": form}, status=WRONG if form.errors else 200)


@public
@never_cache
@sensitive_post_parameters("password")
def invitation(request: HttpRequest, secret: str) -> HttpResponse:
    """Joins the team: a name and a password, and in."""
    found = accounts.find(secret)
    closed = accounts.why_closed(found)
    if closed or request.user.is_authenticated:
        return _closed(request, closed)
    form = JoinForm(request.POST or None)
    if form.is_valid():
        try:
            user = accounts.accept(secret, **form.cleaned_data)
        except Refused as refusal:
            form.refuse(refusal)
        else:
            login(request, user, backend=BACKEND)
            return redirect("today")
    context = {"form": form, "invitation": found}
    return render(request, "accounts/invitation.html", context, status=WRONG if form.errors else 200)


@public
@never_cache
@sensitive_post_parameters("password")
def password_link(request: HttpRequest, secret: str) -> HttpResponse:
    """A new password for somebody who forgot theirs, through a link from an admin."""
    user = accounts.owner_of_password_link(secret)
    if user is None:
        return _closed(request, "This link does not work any more. Ask an admin for a new one.")
    form = NewPasswordForm(request.POST or None)
    if form.is_valid():
        try:
            accounts.choose_password(secret, form.cleaned_data["password"])
        except Refused as refusal:
            form.refuse(refusal)
        else:
            toasts.toast(request, "The new password is set. Sign in with it.")
            return redirect("account_login")
    context = {"form": form, "person": user}
    return render(request, "accounts/password_link.html", context, status=WRONG if form.errors else 200)


# Oneself


@needs(Can.OWN_PROFILE)
def profile(request: PageRequest) -> HttpResponse:
    """Name, theme and shortcuts; the way to the password and to two-step sign-in."""
    user = request.user
    form = ProfileForm(request.POST or None, initial=_shown(user))
    if form.is_valid():
        try:
            changed = accounts.save_profile(user, form.cleaned_data, by=request.access.actor)
        except Refused as refusal:
            form.refuse(refusal)
        else:
            toasts.toast(request, "Your profile is saved." if changed else "Nothing was changed.")
            response = redirect("profile")
            if "theme" in changed:
                response.delete_cookie("theme")  # the switch's cookie is older than this choice
            return response
    return _profile_page(request, form, ChangePasswordForm(), status=WRONG if form.errors else 200)


@require_POST
@sensitive_post_parameters("old_password", "password")
@needs(Can.OWN_PROFILE)
def profile_password(request: PageRequest) -> HttpResponse:
    """A new password for oneself; every other session ends."""
    user = request.user
    form = ChangePasswordForm(request.POST)
    if form.is_valid() and _knows_password(request, user, form):
        try:
            accounts.change_password(user, form.cleaned_data["password"], by=request.access.actor)
        except Refused as refusal:
            form.refuse(refusal)
        else:
            update_session_auth_hash(request, user)
            toasts.toast(request, "Your password is changed. Other devices are signed out.")
            return redirect("profile")
    return _profile_page(request, ProfileForm(initial=_shown(user)), form, status=WRONG)


@require_POST
@needs(Can.OWN_PROFILE)
def profile_sessions(request: PageRequest) -> HttpResponse:
    """Signs out every device but this one."""
    user = request.user
    accounts.sign_out_everywhere(user, by=request.access.actor)
    update_session_auth_hash(request, user)
    toasts.toast(request, "Every other device is signed out.")
    return redirect("profile")


@require_POST
@needs(Can.OWN_PROFILE)
def profile_theme(request: PageRequest) -> HttpResponse:
    """The light switch."""
    accounts.choose_theme(request.user, request.POST.get("theme", ""))
    if request.headers.get("HX-Request") == "true":
        return HttpResponse(status=204)
    back = request.headers.get("Referer", "")
    return redirect(back if get_adapter(request).is_safe_url(back) else "profile")


# The organisation


@never_cache
@needs(Can.SETTINGS)
def settings_organisation(request: PageRequest) -> HttpResponse:
    """Name, dates, goals and the checklist of onboarding."""
    settings = Organisation.current()
    shown = {field.name: getattr(settings, field.name) for field in settings._meta.fields}
    form = OrganisationForm(
        request.POST or None, initial=shown | {"version": settings.updated_at.isoformat()}
    )
    steps = Steps(request.POST or None, initial=settings.onboarding_steps, prefix="steps")
    if form.is_valid() and steps.is_valid():
        values = {name: value for name, value in form.cleaned_data.items() if name != "version"}
        values["onboarding_steps"] = steps.as_steps()
        try:
            changed = accounts.save_organisation(values, by=request.access.actor, expected=form.seen_at())
        except Refused as refusal:
            form.refuse(refusal)
        else:
            toasts.toast(request, "The settings are saved." if changed else "Nothing was changed.")
            return redirect("settings_organisation")
    wrong = form.is_bound and (not form.is_valid() or not steps.is_valid())
    context = {"form": form, "steps": steps}
    return render(request, "accounts/organisation.html", context, status=WRONG if wrong else 200)


@never_cache
@needs(Can.SETTINGS)
def organisation_release(request: PageRequest) -> HttpResponse:
    """Ends the hold of a database that was restored or copied."""
    if request.method == "POST":
        accounts.release(by=request.access.actor)
        toasts.toast(request, "The database is released.")
        return redirect("settings_organisation")
    return render(request, "accounts/release.html", {"organisation": Organisation.current()})


# The team


@never_cache
@needs(Can.TEAM)
def settings_team(request: PageRequest) -> HttpResponse:
    """Who is on the team, who is invited, and what each role may do."""
    return _team_page(request, InviteForm())


@require_POST
@never_cache
@needs(Can.TEAM)
def team_invitations(request: PageRequest) -> HttpResponse:
    """Invites somebody; the answer shows the link, once."""
    form = InviteForm(request.POST)
    if form.is_valid():
        try:
            made, secret = accounts.invite(**form.cleaned_data, by=request.access.actor)
        except Refused as refusal:
            form.refuse(refusal)
        else:
            return _team_page(request, InviteForm(), link=_link(request, "invitation", secret), to=made.email)
    return _team_page(request, form, status=WRONG)


@require_POST
@never_cache
@needs(Can.TEAM)
def invitation_link(request: PageRequest, pk: UUID) -> HttpResponse:
    """A new link for an invitation; the old one stops working."""
    found = get_object_or_404(Invitation, pk=pk)
    secret = accounts.renew(found, by=request.access.actor)
    return _team_page(request, InviteForm(), link=_link(request, "invitation", secret), to=found.email)


@require_POST
@needs(Can.TEAM)
def invitation_revocation(request: PageRequest, pk: UUID) -> HttpResponse:
    """Takes an invitation back."""
    accounts.revoke(get_object_or_404(Invitation, pk=pk), by=request.access.actor)
    toasts.toast(request, "The invitation is taken back.")
    return redirect("settings_team")


@require_POST
@needs(Can.TEAM)
def member_role(request: PageRequest, pk: UUID) -> HttpResponse:
    """Gives a member another role."""
    member = get_object_or_404(User, pk=pk)
    form = RoleForm(request.POST)
    if not form.is_valid():
        raise Refused("unknown_role", "There is no such role.", field="role")
    try:
        accounts.change_role(member, form.cleaned_data["role"], by=request.access.actor)
    except Refused as refusal:
        toasts.toast(request, refusal.sentence, level="danger")
    else:
        toasts.toast(request, f"{member.name} is now {Role(member.role).label}.")
    return _member_answer(request, member)


@require_POST
@needs(Can.TEAM)
def member_deactivation(request: PageRequest, pk: UUID) -> HttpResponse:
    """Switches a member's account off, at once."""
    member = get_object_or_404(User, pk=pk)
    accounts.deactivate(member, by=request.access.actor)
    undo = reverse("member_reactivation", args=[pk])
    toasts.toast(request, f"{member.name} can no longer sign in.", undo_url=undo)
    tokens = queries.live_tokens_made_by(member)
    if tokens:
        many = f"{tokens} API tokens that still work" if tokens > 1 else "an API token that still works"
        toasts.toast(request, f"{member.name} made {many}. Look at API tokens.", level="warn")
    return redirect("settings_team")


@require_POST
@needs(Can.TEAM)
def member_reactivation(request: PageRequest, pk: UUID) -> HttpResponse:
    """Switches a member's account on again."""
    member = get_object_or_404(User, pk=pk)
    accounts.reactivate(member, by=request.access.actor)
    toasts.toast(request, f"{member.name} can sign in again.")
    if request.headers.get("HX-Request") == "true":
        response = HttpResponse(status=204)
        response["HX-Refresh"] = "true"
        return response
    return redirect("settings_team")


@require_POST
@needs(Can.TEAM)
def member_two_step(request: PageRequest, pk: UUID) -> HttpResponse:
    """Switches a member's two-step sign-in off, for a lost phone."""
    member = get_object_or_404(User, pk=pk)
    accounts.switch_off_two_step(member, by=request.access.actor)
    toasts.toast(request, f"{member.name} signs in with the password alone.")
    return redirect("settings_team")


@require_POST
@never_cache
@needs(Can.TEAM)
def member_password_link(request: PageRequest, pk: UUID) -> HttpResponse:
    """A link for a member who forgot the password; the answer shows it, once."""
    member = get_object_or_404(User, pk=pk)
    secret = accounts.make_password_link(member, by=request.access.actor)
    link = _link(request, "password_link", secret)
    return _team_page(request, InviteForm(), link=link, to=member.name, is_password=True)


# Tokens


@never_cache
@needs(Can.TOKENS)
def settings_tokens(request: PageRequest) -> HttpResponse:
    """The keys of programs; POST makes one, and the answer shows its secret, once."""
    form = TokenForm(request.POST or None)
    made, secret = None, ""
    if form.is_valid():
        data = form.cleaned_data
        try:
            made, secret = accounts.create_token(
                data["name"],
                role=data["role"],
                scopes=data["scopes"],
                expires_at=form.expires_at(),
                by=request.access.actor,
            )
        except Refused as refusal:
            form.refuse(refusal)
        else:
            form = TokenForm()
    context = {
        "form": form,
        "made": made,
        "secret": secret,
        "lines": queries.token_lines(),
    }
    return render(request, "accounts/tokens.html", context, status=WRONG if form.errors else 200)


@require_POST
@needs(Can.TOKENS)
def token_revocation(request: PageRequest, pk: UUID) -> HttpResponse:
    """Switches a token off for good."""
    token = get_object_or_404(ApiToken, pk=pk)
    accounts.revoke_token(token, by=request.access.actor)
    toasts.toast(request, f"“{token.name}” is revoked. Programs that use it are shut out.")
    return redirect("settings_tokens")


# Background work


@never_cache
@needs(Can.SETTINGS)
def settings_jobs(request: PageRequest) -> HttpResponse:
    """How deep the queues are, how late they run, and which jobs gave up."""
    depths, oldest = jobs.depths(), jobs.oldest_waiting_age()
    letters = jobs.dead_letters(SHOWN_JOBS)
    context = {
        "depths": depths,
        "oldest": oldest,
        "is_late": oldest is not None and oldest > jobs.LATE,
        "letters": letters,
        "more": max(0, sum(depth.dead for depth in depths) - len(letters)),
        "left_behind": jobs.left_behind(),
        "engine": settings.JOBS_ENGINE,
    }
    return render(request, "accounts/jobs.html", context)


@require_POST
@needs(Can.SETTINGS)
def job_retry(request: PageRequest, pk: int) -> HttpResponse:
    """Gives a job that gave up a fresh set of attempts."""
    try:
        task = accounts.retry_job(pk, by=request.access.actor)
        toasts.toast(request, f"{task} runs again.")
    except Refused as refusal:
        toasts.toast(request, refusal.sentence, level="danger")
    return redirect("settings_jobs")


@require_POST
@needs(Can.SETTINGS)
def jobs_retry(request: PageRequest) -> HttpResponse:
    """The same for all jobs that the page showed."""
    numbers = (read_row_number(text) for text in request.POST.getlist("job")[:SHOWN_JOBS])
    count = accounts.retry_jobs([pk for pk in numbers if pk is not None], by=request.access.actor)
    toasts.toast(request, "1 job runs again." if count == 1 else f"{count} jobs run again.")
    return redirect("settings_jobs")


@require_POST
@needs(Can.SETTINGS)
def job_discard(request: PageRequest, pk: int) -> HttpResponse:
    """Removes a job that gave up for good."""
    try:
        task = accounts.discard_job(pk, by=request.access.actor)
        toasts.toast(request, f"{task} is discarded.")
    except Refused as refusal:
        toasts.toast(request, refusal.sentence, level="danger")
    return redirect("settings_jobs")


def _closed(request: HttpRequest, sentence: str) -> HttpResponse:
    """A dead link says why; without a sentence it is alive, but its visitor is signed in as somebody."""
    context = {"closed": sentence}
    return render(request, "accounts/link_closed.html", context, status=410 if sentence else 409)


def _shown(user: User) -> dict[str, object]:
    return {"name": user.name, "theme": user.theme, "has_shortcuts": user.has_shortcuts}


def _knows_password(request: HttpRequest, user: User, form: ChangePasswordForm) -> bool:
    try:
        if get_adapter(request).reauthenticate(user, form.cleaned_data["old_password"]):
            return True
        form.add_error("old_password", "The password is wrong.")
    except ValidationError as locked:
        form.add_error("old_password", locked)
    return False


def _profile_page(
    request: PageRequest, form: ProfileForm, password_form: ChangePasswordForm, status: int
) -> HttpResponse:
    context = {
        "form": form,
        "password_form": password_form,
        "me": queries.members().get(pk=request.user.pk),
        "role": Role(request.user.role).label,
    }
    return render(request, "accounts/profile.html", context, status=status)


def _link(request: HttpRequest, name: str, secret: str) -> str:
    return request.build_absolute_uri(reverse(name, args=[secret]))


def _team_page(
    request: PageRequest,
    form: InviteForm,
    *,
    link: str = "",
    to: str = "",
    is_password: bool = False,
    status: int = 200,
) -> HttpResponse:
    context = {
        "form": form,
        "members": queries.members(),
        "invitations": queries.waiting_invitations(),
        "roles": Role.choices,
        "matrix": [(words, [role in MAY[can] for role in Role]) for can, words in SAYS.items()],
        "link": link,
        "link_to": to,
        "is_password": is_password,
    }
    return render(request, "accounts/team.html", context, status=status)


def _member_answer(request: HttpRequest, member: User) -> HttpResponse:
    if request.headers.get("HX-Request") != "true":
        return redirect("settings_team")
    context = {"member": queries.members().get(pk=member.pk), "roles": Role.choices}
    return render(request, "accounts/_member.html", context)
