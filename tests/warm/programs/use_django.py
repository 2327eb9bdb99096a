# /// script
# requires-python = ">=3.11"
# dependencies = ["django"]
# ///
import sys

import django
from django.conf import settings
from django.core.management import execute_from_command_line
from django.db import models
from django.http import HttpResponse
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["testserver"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="secret",
)
django.setup()
urlpatterns = [path("", lambda request: HttpResponse("hello"))]

if __name__ == "__main__":
    if sys.argv[1:]:
        execute_from_command_line(["manage", *sys.argv[1:]])
        sys.exit()
    from django.contrib.auth.models import User
    from django.test import Client

    execute_from_command_line(["manage", "migrate", "-v", "0"])
    User.objects.create_user("x")
    print(User.objects.filter(username="x").count(), Client().get("/").content)
    execute_from_command_line(["manage", "check"])
    execute_from_command_line(["manage", "sqlmigrate", "auth", "0001"])
