"""One settings file, fed by the environment (docs/self-hosting.md lists every variable)."""

from pathlib import Path

from csp.constants import NONE, SELF, UNSAFE_INLINE

from drivercrm.config import environment, logs

PACKAGE = Path(__file__).resolve().parent.parent

DEBUG = environment.flag("DRIVERCRM_DEBUG")
DATA_DIR = environment.data_dir()
DATABASES = {"default": environment.database(DATA_DIR)}
ON_SQLITE = DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3"
SECRET_KEY = environment.lasting_key(DATA_DIR, "DRIVERCRM_SECRET_KEY", sqlite=ON_SQLITE)
# Apart from the session secret: rotating that must not forget who said stop.
ADDRESS_KEY = environment.lasting_key(DATA_DIR, "DRIVERCRM_ADDRESS_KEY", sqlite=ON_SQLITE)
# What is sealed (core/sealing.py): the first seals, all of them read, so that one can be replaced.
ENCRYPTION_KEYS = environment.long_keys("DRIVERCRM_ENCRYPTION_KEYS")
JOBS_ENGINE = environment.jobs_engine(sqlite=ON_SQLITE)
JOBS_SCHEDULE = "drivercrm.config.schedule"

API_PER_MINUTE = environment.whole_number("DRIVERCRM_API_PER_MINUTE", 6000)
METRICS_TOKEN = environment.text("DRIVERCRM_METRICS_TOKEN")

ALLOWED_HOSTS = environment.names("DRIVERCRM_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = environment.names("DRIVERCRM_ORIGINS")
BEHIND_HTTPS = environment.flag("DRIVERCRM_HTTPS")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BEHIND_HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_HTTPS else None
SECURE_HSTS_SECONDS = 31_536_000 if BEHIND_HTTPS else 0
# how many proxies of ours stand in front: their X-Forwarded-For entries are believed, nobody else's
ALLAUTH_TRUSTED_PROXY_COUNT = environment.whole_number("DRIVERCRM_PROXIES", 0)
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        # widths of bars and rings are style attributes; no <style> element and no inline script passes
        "style-src-attr": [UNSAFE_INLINE],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "csp",
    "django_htmx",
    "drivercrm.core",
    "drivercrm.ui",
    "drivercrm.jobs",
    "drivercrm.journal",
    "drivercrm.accounts",
    "drivercrm.drivers",
    "drivercrm.consent",
    "drivercrm.communications",
    "drivercrm.engagement",
    "drivercrm.support",
    "drivercrm.imports",
    "drivercrm.desk",
]
if JOBS_ENGINE == "procrastinate":
    INSTALLED_APPS.append("procrastinate.contrib.django")  # for its migrations alone
    PROCRASTINATE_AUTODISCOVER_MODULE_NAME = ""

MIDDLEWARE = [
    "drivercrm.config.logs.RequestLog",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "drivercrm.accounts.middleware.Doorman",
    "drivercrm.ui.middleware.Toasts",
]

ROOT_URLCONF = "drivercrm.config.urls"
WSGI_APPLICATION = "drivercrm.config.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        # our sign-in and two-step pages stand in for allauth's of the same name
        "DIRS": [PACKAGE / "accounts" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "drivercrm.desk.shell.shell",
            ],
            "builtins": ["drivercrm.ui.templatetags.ui"],
        },
    }
]

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ["email", "name"]},
    },
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_PATH = "/sign-in/"
LOGIN_REDIRECT_URL = "today"
ACCOUNT_ADAPTER = "drivercrm.accounts.adapter.InvitationOnly"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_EMAIL_NOTIFICATIONS = False
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_SESSION_REMEMBER = True
MFA_ADAPTER = "drivercrm.accounts.adapter.TwoStep"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "Driver CRM"
MFA_ALLOW_UNVERIFIED_EMAIL = True  # staff join by a link from an admin; no mail is sent

# Shared by every web process, so that lockouts count over all of them.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "django_cache",
        "OPTIONS": {"MAX_ENTRIES": 20_000},  # beyond it a third is thrown out: counts of tries among them
    },
    "memory": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
}

LANGUAGE_CODE = "en-za"
TIME_ZONE = environment.time_zone()
USE_TZ = True
USE_I18N = True

STATIC_URL = "/static/"
STATIC_ROOT = PACKAGE / "ui" / "static"
STATICFILES_DIRS: list[Path] = []
# Vite names built files by their content, so whitenoise may serve the package's folder as it is, for ever.
WHITENOISE_USE_FINDERS = True
WHITENOISE_IMMUTABLE_FILE_TEST = r"/static/built/assets/.+-[\w-]{8}\.\w+(\.br|\.gz)?$"

MEDIA_ROOT = DATA_DIR / "media"
DATA_UPLOAD_MAX_MEMORY_SIZE = 10 * 1024 * 1024
FILE_UPLOAD_TEMP_DIR = None
FILE_UPLOAD_HANDLERS = [
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "drivercrm.core.uploads.UnlinkedUploadHandler",
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LOGGING_CONFIG = None
logs.configure(as_json=not DEBUG and environment.one_of("DRIVERCRM_LOG", ("json", "text"), "text") == "json")
