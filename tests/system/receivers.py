"""Receivers of alerts on 127.0.0.1: a webhook, and a mail server that accepts everything.

    receivers.py PORTS_FILE WEBHOOK_FILE MAIL_FILE

PORTS_FILE gets the two ports. WEBHOOK_FILE gets a line for each body sent to the webhook,
MAIL_FILE gets whole mails.
"""

import os
import socketserver
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORTS_FILE, WEBHOOK_FILE, MAIL_FILE = sys.argv[1:]


class Webhook(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with open(WEBHOOK_FILE, "ab") as file:
            file.write(body + b"\n")
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


class Mail(socketserver.StreamRequestHandler):
    def handle(self):
        self.say("220 localhost")
        while command := self.rfile.readline().strip().upper():
            if command.startswith(b"DATA"):
                self.say("354 go on")
                with open(MAIL_FILE, "ab") as file:
                    while (line := self.rfile.readline()) not in (b".\r\n", b""):
                        file.write(line)
            self.say("221 bye" if command.startswith(b"QUIT") else "250 ok")

    def say(self, line):
        self.wfile.write(line.encode() + b"\r\n")


socketserver.ThreadingTCPServer.daemon_threads = True
servers = [
    ThreadingHTTPServer(("127.0.0.1", 0), Webhook),
    socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mail),
]
with open(PORTS_FILE + ".new", "w", encoding="utf-8") as file:
    file.write(" ".join(str(server.server_address[1]) for server in servers))
os.rename(PORTS_FILE + ".new", PORTS_FILE)
threading.Thread(target=servers[0].serve_forever, daemon=True).start()
servers[1].serve_forever()
