"""A minimal stand-in of the snapshots API on 127.0.0.1 for the test of the service.

    provider.py PORT_FILE LOG_FILE TOKEN

It starts empty and stores created snapshots, which are `completed` from the first listing on.
PORT_FILE gets the port; LOG_FILE gets a line for each request (without the token).
"""

import json
import os
import sys
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

PORT_FILE, LOG_FILE, TOKEN = sys.argv[1:]
LIST = "/api/v1/snapshots/"
LIMIT = 5
snapshots = []
made = 0


class Provider(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        address = urlsplit(self.path)
        if address.path != LIST:
            return self.answer(404, {"detail": "not found"})
        server = parse_qs(address.query).get("server_id", [None])[0]
        rows = [s for s in snapshots if server in (None, str(s["server"]["id"]))]
        return self.answer(200, {"count": len(rows), "results": rows[::-1]})

    def do_POST(self):
        global made
        length = int(self.headers.get("Content-Length") or 0)
        wanted = json.loads(self.rfile.read(length) or b"{}")
        path = urlsplit(self.path).path
        if path.startswith(LIST) and path.endswith("/restore/"):
            return self.restore(path.removeprefix(LIST).removesuffix("/restore/"))
        if path != LIST:
            return self.answer(404, {"detail": "not found"})
        server = wanted["server_id"]
        if sum(s["server"]["id"] == server for s in snapshots) >= LIMIT:
            return self.answer(400, {"detail": "limit reached"})
        made += 1
        snapshot = {
            "id": 800 + made,
            "server": {"id": server, "name": "web-server-01"},
            "name": wanted["name"],
            "status": "in_progress",
            "size_mb": None,
            "created_at": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "description": wanted.get("description", ""),
        }
        sent = self.answer(201, snapshot | {"message": "snapshot creation started"})
        if sent:
            snapshots.append(snapshot | {"status": "completed", "size_mb": 5120})

    def restore(self, name):
        found = [s for s in snapshots if str(s["id"]) == name]
        if not found:
            return self.answer(404, {"detail": "not found"})
        row = found[0]
        return self.answer(200, {
            "status": "success",
            "message": "restore started",
            "snapshot": {key: row[key] for key in ("id", "name", "created_at")},
            "server": row["server"] | {"status": "restoring"},
        })

    def do_DELETE(self):
        name = self.path.removeprefix(LIST).rstrip("/")
        found = [s for s in snapshots if str(s["id"]) == name]
        if self.answer(204 if found else 404, None) and found:
            snapshots.remove(found[0])

    def answer(self, status, body):
        """Sends `body`, or a 401 for a wrong token; returns True if it sent the body."""
        allowed = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        if not allowed:
            status, body = 401, {"detail": "invalid token"}
        data = b"" if body is None else json.dumps(body).encode()
        with open(LOG_FILE, "a", encoding="utf-8") as log:
            log.write(f"{self.command} {self.path} {status}\n")
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        return allowed

    def log_message(self, *_):
        pass


provider = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
with open(PORT_FILE + ".new", "w", encoding="utf-8") as file:
    file.write(str(provider.server_address[1]))
os.rename(PORT_FILE + ".new", PORT_FILE)
provider.serve_forever()
