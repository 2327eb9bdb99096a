# /// script
# requires-python = ">=3.11"
# dependencies = ["django"]
# ///
import os
import sys

import django
from django.conf import settings
from django.core.management import CommandError, call_command, execute_from_command_line
from django.core.management.base import BaseCommand
from django.db import connection, models, transaction
from django.http import JsonResponse
from django.template import Context, Template
from django.urls import path, reverse

settings.configure(
    ALLOWED_HOSTS=["testserver"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "/memfs:/data.sqlite3"}},
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="secret",
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
    USE_TZ=True,
)
django.setup()


def numbers(request, upto):
    return JsonResponse({"numbers": list(range(upto)), "query": request.GET.dict()})


urlpatterns = [path("numbers/<int:upto>/", numbers, name="numbers")]


class Note(models.Model):
    title = models.CharField(max_length=20)
    day = models.DateField()

    class Meta:
        app_label = "notes"
        ordering = ("day",)


class Count(BaseCommand):
    help = "Count users."

    def add_arguments(self, parser):
        parser.add_argument("--twice", action="store_true")

    def handle(self, *args, **options):
        from django.contrib.auth.models import User

        self.stdout.write(self.style.SUCCESS(f"{User.objects.count() * (1 + options['twice'])} users"))


def main():
    if sys.argv[1:]:
        execute_from_command_line(["manage", *sys.argv[1:]])
        sys.exit()
    from django.contrib.auth import authenticate
    from django.contrib.auth.models import User
    from django.test import Client

    execute_from_command_line(["manage", "migrate", "-v", "0"])
    User.objects.create_user("x", password="p", email="x@example.org")
    User.objects.bulk_create(User(username=f"user{number}") for number in range(5))
    print(User.objects.filter(username__startswith="user").exclude(username="user3").order_by("-username").values_list("username"))
    print(authenticate(username="x", password="p"), authenticate(username="x", password="q"))
    try:
        with transaction.atomic():
            User.objects.create_user("y")
            User.objects.create_user("x")
    except django.db.IntegrityError as error:
        print(error, User.objects.filter(username="y").exists())
    with connection.schema_editor() as editor:
        editor.create_model(Note)
    Note.objects.create(title="second", day="2024-02-29")
    Note.objects.create(title="first", day="2024-02-01")
    print([note.title for note in Note.objects.all()], Note.objects.aggregate(models.Max("day")), Note.objects.all().query)
    client = Client()
    print(client.get(reverse("numbers", args=[3]), {"a": "b"}).content, client.get("/nowhere").status_code)
    print(Template("{% for user in users %}{{ forloop.counter }} {{ user|upper }}, {% endfor %}{{ '<'|escape }}").render(
        Context({"users": User.objects.all()[:2]})))  # fmt: skip
    call_command(Count(), twice=True)
    try:
        call_command("no_such_command")
    except CommandError as error:
        print(error)
    execute_from_command_line(["manage", "check"])
    execute_from_command_line(["manage", "sqlmigrate", "auth", "0001"])
    connection.close()
    print([name for name in os.listdir("/memfs:/") if name.startswith("data")])


if __name__ == "__main__":
    main()
