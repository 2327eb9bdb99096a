"""A Django site that is set up when it is imported, with the commands that it is asked for."""

import django
import django.core.management.commands.check
import django.core.management.commands.migrate
from django.conf import settings
from django.http import HttpResponse
from django.urls import path

settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    ROOT_URLCONF=__name__,
    SECRET_KEY="not secret: answers nobody",
)
urlpatterns = [path("", lambda _: HttpResponse("hello"))]
django.setup()
