from allauth.account import views as sign_in
from allauth.mfa.base import views as two_step
from allauth.mfa.recovery_codes import views as recovery_codes
from allauth.mfa.totp import views as totp
from django.urls import URLPattern, path

from drivercrm.accounts import views

urlpatterns: list[URLPattern] = [
    path("first-run/", views.first_run, name="first_run"),
    path("sign-in/", sign_in.login, name="account_login"),
    path("sign-in/code/", two_step.authenticate, name="mfa_authenticate"),
    path("sign-out/", sign_in.logout, name="account_logout"),
    path("invitations/<str:secret>/", views.invitation, name="invitation"),
    path("passwords/<str:secret>/", views.password_link, name="password_link"),
    path("profile/", views.profile, name="profile"),
    path("profile/password/", views.profile_password, name="profile_password"),
    path("profile/sessions/", views.profile_sessions, name="profile_sessions"),
    path("profile/theme/", views.profile_theme, name="profile_theme"),
    path("profile/confirmation/", sign_in.reauthenticate, name="account_reauthenticate"),
    path("profile/confirmation/code/", two_step.reauthenticate, name="mfa_reauthenticate"),
    path("profile/two-step/", two_step.index, name="mfa_index"),
    path("profile/two-step/app/", totp.activate_totp, name="mfa_activate_totp"),
    path("profile/two-step/end/", totp.deactivate_totp, name="mfa_deactivate_totp"),
    path("profile/two-step/codes/", recovery_codes.view_recovery_codes, name="mfa_view_recovery_codes"),
    path(
        "profile/two-step/codes/new/",
        recovery_codes.generate_recovery_codes,
        name="mfa_generate_recovery_codes",
    ),
    path(
        "profile/two-step/codes/file/",
        recovery_codes.download_recovery_codes,
        name="mfa_download_recovery_codes",
    ),
    path("settings/organisation/", views.settings_organisation, name="settings_organisation"),
    path("settings/organisation/release/", views.organisation_release, name="organisation_release"),
    path("settings/team/", views.settings_team, name="settings_team"),
    path("settings/team/invitations/", views.team_invitations, name="team_invitations"),
    path("settings/team/invitations/<uuid:pk>/link/", views.invitation_link, name="invitation_link"),
    path(
        "settings/team/invitations/<uuid:pk>/revocation/",
        views.invitation_revocation,
        name="invitation_revocation",
    ),
    path("settings/team/<uuid:pk>/role/", views.member_role, name="member_role"),
    path("settings/team/<uuid:pk>/deactivation/", views.member_deactivation, name="member_deactivation"),
    path("settings/team/<uuid:pk>/reactivation/", views.member_reactivation, name="member_reactivation"),
    path("settings/team/<uuid:pk>/two-step/", views.member_two_step, name="member_two_step"),
    path("settings/team/<uuid:pk>/password-link/", views.member_password_link, name="member_password_link"),
    path("settings/jobs/", views.settings_jobs, name="settings_jobs"),
    path("settings/jobs/retry/", views.jobs_retry, name="jobs_retry"),
    path("settings/jobs/<row:pk>/retry/", views.job_retry, name="job_retry"),
    path("settings/jobs/<row:pk>/discard/", views.job_discard, name="job_discard"),
    path("settings/tokens/", views.settings_tokens, name="settings_tokens"),
    path("settings/tokens/<uuid:pk>/revocation/", views.token_revocation, name="token_revocation"),
]
