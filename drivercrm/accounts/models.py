"""Staff, their invitations and tokens, and the organisation's own configuration."""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils.crypto import salted_hmac

from drivercrm.accounts.enums import Role, Theme
from drivercrm.core import clock
from drivercrm.core.ids import uuid7

INVITATION_DAYS = 7
# Accounts of the demo end in this. The domain is nobody's (RFC 2606); their password is published.
DEMO_DOMAIN = "@demo.example.org"

# The organisation's row has the key 1; the journal names it by this.
ORGANISATION_ID = UUID(int=1)


def secret_hash(secret: str) -> str:
    """What is kept of an invitation's or token's secret. It has 256 random bits, so one SHA-256 is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()


def new_mark() -> str:
    """A random text that sessions are bound to."""
    return secrets.token_hex(16)


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """A staff member with a hashed password."""
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(AbstractBaseUser):
    """A member of staff. Drivers have no account (spec §1)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=120)
    role = models.CharField(max_length=12, choices=Role.choices, default=Role.VIEWER)
    is_active = models.BooleanField(default=True)
    theme = models.CharField(max_length=5, choices=Theme.choices, blank=True, default=Theme.SYSTEM)
    has_shortcuts = models.BooleanField(default=True)
    session_mark = models.CharField(max_length=32, default=new_mark, editable=False)
    link_mark = models.CharField(max_length=32, default=new_mark, editable=False)
    created_at = models.DateTimeField(default=clock.now)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]

    class Meta:
        db_table = "users"
        constraints = [
            models.CheckConstraint(name="user_role", condition=Q(role__in=Role.values)),
            models.UniqueConstraint(Lower("email"), name="user_email_any_case"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def short_name(self) -> str:
        """“Nandi P”: the form that lists show."""
        first, *rest = self.name.split()
        return f"{first} {rest[-1][0]}" if rest else first

    def end_sessions(self) -> None:
        """Makes every session of this person worthless once the row is saved."""
        self.session_mark = new_mark()

    def end_links(self) -> None:
        """Makes every password link that this person made for others worthless once the row is saved."""
        self.link_mark = new_mark()

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """What a session must hold to be theirs: bound to the password and to the mark, so either ends it."""
        return salted_hmac(
            "drivercrm.session", self.password + self.session_mark, secret=secret, algorithm="sha256"
        ).hexdigest()


class Invitation(models.Model):
    """A link that lets one person choose a password and join with one role."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = models.EmailField()
    role = models.CharField(max_length=12, choices=Role.choices)
    secret_hash = models.CharField(max_length=64, unique=True)
    invited_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=clock.now)
    accepted_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "invitations"
        constraints = [models.CheckConstraint(name="invitation_role", condition=Q(role__in=Role.values))]

    def __str__(self) -> str:
        return f"{self.role} invitation"

    @property
    def ends_at(self) -> datetime:
        """The moment after which the link is too old."""
        return self.created_at + timedelta(days=INVITATION_DAYS)

    @property
    def is_open(self) -> bool:
        """Whether the link still works: unused, not revoked, and no older than seven days."""
        return self.accepted_at is None and self.revoked_at is None and clock.now() < self.ends_at


class ApiToken(models.Model):
    """A key for a program: only its hash is kept, with the role and scopes it may use."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=120)
    prefix = models.CharField(max_length=12)
    secret_hash = models.CharField(max_length=64, unique=True)
    role = models.CharField(max_length=12, choices=Role.choices)
    scopes = models.JSONField(default=list, help_text="Permissions; empty means all that the role has.")
    created_by = models.CharField(max_length=80)
    created_at = models.DateTimeField(default=clock.now)
    expires_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "api_tokens"
        constraints = [models.CheckConstraint(name="token_role", condition=Q(role__in=Role.values))]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @staticmethod
    def new_secret() -> str:
        """A fresh secret, shown once."""
        return f"dcrm_{secrets.token_urlsafe(32)}"

    @property
    def is_live(self) -> bool:
        return self.revoked_at is None and (self.expires_at is None or clock.now() < self.expires_at)


class SignInCount(models.Model):
    """Passwords tried for one hashed key since its last rest; `ends_at` is when the count starts again."""

    key = models.CharField(max_length=64, primary_key=True)
    attempts = models.PositiveIntegerField(default=0)
    is_noted = models.BooleanField(default=False)
    ends_at = models.DateTimeField()

    class Meta:
        db_table = "sign_in_counts"
        indexes = [models.Index(fields=["ends_at"], name="sign_in_count_old")]

    def __str__(self) -> str:
        return f"{self.attempts} attempts"


class IdempotencyKey(models.Model):
    """One POST that a program may repeat: what it asked, and the answer it got (spec §9).

    Written in the transaction of the effect, so that neither exists without the other. The answer may hold a
    driver's details; it is deleted after a day.
    """

    actor = models.CharField(max_length=80)
    key = models.CharField(max_length=255)
    request_hash = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    headers = models.JSONField(default=dict)
    answer = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "idempotency_keys"
        constraints = [models.UniqueConstraint(fields=["actor", "key"], name="idempotency_key_once")]
        indexes = [models.Index(fields=["created_at"], name="idempotency_key_old")]

    def __str__(self) -> str:
        return self.key


STEP_DEFAULTS: list[dict[str, Any]] = [
    {"key": "app_installed", "label": "App installed", "required": True},
    {"key": "pathpulse_account_created", "label": "PathPulse account created", "required": True},
    {"key": "timorides_linked", "label": "TimoRides linked", "required": True},
    {"key": "location_permission", "label": "Location permission", "required": True},
    {"key": "camera_permission", "label": "Camera permission", "required": True},
    {"key": "app_tested", "label": "App tested", "required": True},
    {"key": "training_done", "label": "Training done", "required": True},
]


def default_steps() -> list[dict[str, Any]]:
    return [dict(step) for step in STEP_DEFAULTS]


class Organisation(models.Model):
    """The one row of configuration that staff may change; every change is journalled (spec §1)."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    name = models.CharField(max_length=120, default="Driver CRM")
    pilot_starts_on = models.DateField(null=True)
    inactive_after_days = models.PositiveSmallIntegerField(default=14)
    sign_up_goal = models.PositiveIntegerField(null=True)
    sign_up_by = models.DateField(null=True)
    onboarding_steps = models.JSONField(default=default_steps)
    metrics_complete_through = models.DateField(
        null=True, help_text="The last day whose usage is fully loaded; nobody is called inactive beyond it."
    )
    held_since = models.DateTimeField(
        null=True,
        help_text="Since when nothing may be sent, polled or exported from this database (spec §11).",
    )
    held_because = models.CharField(max_length=200, blank=True, default="")
    updated_at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "organisation"
        constraints = [
            models.CheckConstraint(
                name="organisation_held_has_reason",
                condition=Q(held_since=None, held_because="")
                | (Q(held_since__isnull=False) & ~Q(held_because="")),
            ),
            models.CheckConstraint(name="organisation_is_one", condition=Q(id=1)),
            models.CheckConstraint(
                name="organisation_inactive_days", condition=Q(inactive_after_days__gte=1)
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @classmethod
    def current(cls) -> "Organisation":
        """The configuration, made with its defaults at the first call."""
        return cls.objects.get_or_create(id=1)[0]

    @property
    def required_steps(self) -> list[str]:
        return [step["key"] for step in self.onboarding_steps if step["required"]]
