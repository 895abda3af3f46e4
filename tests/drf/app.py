"""The provider's API by Django REST framework itself: its pagination, throttling and errors.

PAGINATION is page, offset or cursor; IDS is integers or uuids. The state is in memory.
"""

import os
import sys
import uuid
from datetime import datetime, timedelta, timezone

import django
from django.conf import settings
from django.core.management import execute_from_command_line

settings.configure(
    SECRET_KEY="of no use",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["DATABASE"]}},
    INSTALLED_APPS=["rest_framework"],
    USE_TZ=True,
    CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "UNAUTHENTICATED_USER": None,
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "DEFAULT_THROTTLE_CLASSES": ["rest_framework.throttling.AnonRateThrottle"],
        "DEFAULT_THROTTLE_RATES": {"anon": os.environ.get("THROTTLE") or None},
    },
)
django.setup()

from django.db import connection, models  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework import pagination, permissions, serializers, status  # noqa: E402
from rest_framework.exceptions import AuthenticationFailed  # noqa: E402
from rest_framework.generics import ListCreateAPIView  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402

UUIDS = os.environ.get("IDS") == "uuids"
COMPLETES_AFTER = timedelta(milliseconds=200)
LIMIT = 5


class Server(models.Model):
    uuid = models.UUIDField(default=uuid.uuid4)
    hostname = models.CharField(max_length=64)

    class Meta:
        app_label = "provider"


class Snapshot(models.Model):
    uuid = models.UUIDField(default=uuid.uuid4)
    server = models.ForeignKey(Server, on_delete=models.CASCADE)
    name = models.SlugField(max_length=64)
    description = models.TextField(blank=True)
    created_at = models.DateTimeField()

    class Meta:
        app_label = "provider"


class ServerOut(serializers.ModelSerializer):
    if not UUIDS:
        name = serializers.CharField(source="hostname")

    class Meta:
        model = Server
        fields = ["uuid", "hostname"] if UUIDS else ["id", "name"]


class SnapshotOut(serializers.ModelSerializer):
    server = ServerOut(read_only=True)
    server_id = serializers.SlugRelatedField(
        source="server",
        slug_field="uuid" if UUIDS else "id",
        queryset=Server.objects.all(),
        write_only=True,
    )
    status = serializers.SerializerMethodField()
    size_mb = serializers.SerializerMethodField()

    class Meta:
        model = Snapshot
        fields = ["uuid" if UUIDS else "id", "server", "server_id", "name", "status", "size_mb"]
        fields += ["created_at", "description"]
        read_only_fields = ["uuid", "created_at"]

    def get_status(self, row):
        done = datetime.now(timezone.utc) - row.created_at > COMPLETES_AFTER
        return "completed" if done else "in_progress"

    def get_size_mb(self, row):
        return 5120 if self.get_status(row) == "completed" else None

    def validate(self, data):
        if data["server"].snapshot_set.count() >= LIMIT:
            raise serializers.ValidationError("The limit of snapshots is reached.")
        return data


class ByPage(pagination.PageNumberPagination):
    page_size = 2
    page_size_query_param = "page_size"
    max_page_size = 3


class ByOffset(pagination.LimitOffsetPagination):
    default_limit = 2


class ByCursor(pagination.CursorPagination):
    page_size = 2
    ordering = "-created_at"


class Bearer(permissions.BasePermission):
    def has_permission(self, request, view):
        if request.headers.get("Authorization") != "Bearer " + os.environ["TOKEN"]:
            raise AuthenticationFailed("Invalid token.")
        return True


class Snapshots(ListCreateAPIView):
    permission_classes = [Bearer]
    serializer_class = SnapshotOut
    pagination_class = {"page": ByPage, "offset": ByOffset, "cursor": ByCursor}[os.environ["PAGINATION"]]

    def get_queryset(self):
        rows = Snapshot.objects.select_related("server").order_by("-created_at")
        server = self.request.query_params.get("server_id")
        if server is None:
            return rows
        return rows.filter(server__uuid=server) if UUIDS else rows.filter(server__id=server)

    def perform_create(self, serializer):
        serializer.save(created_at=datetime.now(timezone.utc))


class OneSnapshot(APIView):
    permission_classes = [Bearer]

    def delete(self, request, which):
        rows = Snapshot.objects.filter(uuid=which) if UUIDS else Snapshot.objects.filter(id=which)
        if not rows.delete()[0]:
            return Response({"detail": "Not found."}, status=status.HTTP_404_NOT_FOUND)
        return Response(status=status.HTTP_204_NO_CONTENT)


urlpatterns = [
    path("api/v1/snapshots/", Snapshots.as_view()),
    path("api/v1/snapshots/<str:which>/", OneSnapshot.as_view()),
]


def fill():
    """Servers with four daily snapshots each, and one that only fills pages; prints their ids."""
    with connection.schema_editor() as schema:
        schema.create_model(Server)
        schema.create_model(Snapshot)
    now = datetime.now(timezone.utc)
    names = [f"web-{nth + 1:02}" for nth in range(int(os.environ.get("SERVERS", "1")))]
    for hostname in [*names, "db-01"]:
        server = Server.objects.create(hostname=hostname)
        for days in range(1, 5):
            made = now - timedelta(days=days)
            name = f"daily-snapshot-{made:%Y-%m-%d}"
            Snapshot.objects.create(server=server, name=name, created_at=made)
        print(server.uuid if UUIDS else server.id, flush=True)


fill()

execute_from_command_line(["app", "runserver", "--noreload", sys.argv[1]])
