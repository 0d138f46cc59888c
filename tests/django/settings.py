"""Settings of the test server. `serve.py` passes what changes from run to run in EVRIM_DJANGO_* variables."""

import os
from datetime import timedelta

SECRET_KEY = os.environ["EVRIM_DJANGO_SECRET_KEY"]
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
TIME_ZONE = "UTC"
ROOT_URLCONF = "urls"
STATIC_URL = "/static/"  # the HTML error pages of the REST framework link to it

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "rest_framework",
    "rest_framework_simplejwt.token_blacklist",
]
MIDDLEWARE = [
    "api.RequestId",  # outermost, so that redirects and errors carry the id too
    "django.middleware.common.CommonMiddleware",  # the 301 for a missing final slash; Content-Length
]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ["EVRIM_DJANGO_DATABASE"],
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            # A writer waits for its turn; without IMMEDIATE a read that turns into a write fails at once.
            "timeout": 30,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;",
        },
    }
}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # quick: the tests sign in a lot

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework_simplejwt.authentication.JWTAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
}
ROTATE = os.environ.get("EVRIM_DJANGO_ROTATE") == "1"
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(seconds=int(os.environ.get("EVRIM_DJANGO_ACCESS_LIFETIME", "300"))),
    "ROTATE_REFRESH_TOKENS": ROTATE,
    "BLACKLIST_AFTER_ROTATION": ROTATE,
}

# Without DEBUG Django mails tracebacks to the admins; here they belong in the server's log.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "loggers": {"django": {"handlers": ["stderr"], "level": "INFO", "propagate": False}},
}
