"""Canaille, a real OpenID provider, as a process that keeps everything in memory.

Its argument says in JSON whom it knows. It says `ready PORT` once it listens. A line `USER GROUP…` on its input puts a
user into these groups alone; then it says `done`.
"""

import json
import socket
import sys
import threading
from datetime import UTC, datetime
from typing import Any

from canaille import create_app
from canaille.app import models
from canaille.backends import Backend
from flask import Flask
from joserfc.jwk import RSAKey
from werkzeug.serving import make_server


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def fill(app: Flask, known: dict[str, Any]) -> None:
    with app.app_context():
        for user_name, name in known["people"].items():
            user = models.User(
                user_name=user_name,
                formatted_name=name,
                family_name=name.split()[1],
                emails=[f"{user_name}@company.com"],
                password=known["password"],
            )
            Backend.instance.save(user)
        everybody = Backend.instance.query(models.User)
        for group in known["groups"]:
            Backend.instance.save(models.Group(display_name=group, members=everybody))
        client = models.Client(
            **known["client"],
            client_name="Engagement advisor",
            grant_types=["authorization_code"],
            response_types=["code"],
            scope=["openid", "profile", "email", "groups"],
            token_endpoint_auth_method="client_secret_basic",
        )
        Backend.instance.save(client)
        client.audience = [client]
        Backend.instance.save(client)
        for user in everybody:
            consent = models.Consent(
                consent_id=user.user_name, client=client, subject=user, scope=client.scope, issue_date=datetime.now(UTC)
            )
            Backend.instance.save(consent)


def obey(app: Flask) -> None:
    for line in sys.stdin:
        user_name, *groups = line.split()
        with app.app_context():
            user = Backend.instance.get(models.User, user_name=user_name)
            for group in Backend.instance.query(models.Group):
                others = [member for member in group.members if member.user_name != user_name]
                group.members = [*others, user] if group.display_name in groups else others
                Backend.instance.save(group)
        say("done")


def main(known: dict[str, Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        key = RSAKey.generate_key(2048, auto_kid=True)
        app = create_app(
            {
                "SECRET_KEY": "of a server that keeps nothing",
                "SERVER_NAME": f"127.0.0.1:{port}",
                "PREFERRED_URL_SCHEME": "http",
                "CANAILLE_OIDC": {"ACTIVE_JWKS": [key.as_dict(private=True)]},
            },
            env_file="/dev/null",
        )
        fill(app, known)
        threading.Thread(target=obey, args=[app], daemon=True).start()
        server = make_server("127.0.0.1", port, app, threaded=True, fd=listener.fileno())
        say(f"ready {port}")
        server.serve_forever()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
