"""Registers, logs in, checks the token, logs out, and sees the token refused — with a client generated from the
server's own document. Give the server's address in AUTH_URL."""

import os
import time

from revocable_authentication_client import AuthenticatedClient, Client
from revocable_authentication_client.api.auth import login, logout, register, verify_token
from revocable_authentication_client.api.user import get_current_user, get_user, list_users
from revocable_authentication_client.models import (
    Done,
    ErrorBody,
    LoginRequest,
    RegisterRequest,
    TokenClaims,
    TokenGranted,
    UserView,
)


def main() -> None:
    base_url = os.environ.get("AUTH_URL", "http://127.0.0.1:5000")
    anybody = Client(base_url=base_url)
    name = f"python-{time.time_ns()}"
    email, password = f"{name}@example.org", "correct horse battery staple"

    account = RegisterRequest(email=email, username=name, password=password)
    registered = register.sync(client=anybody, body=account)
    assert isinstance(registered, TokenGranted), registered
    again = register.sync(client=anybody, body=account)
    assert isinstance(again, ErrorBody) and again.code == "user_exists", again

    session = login.sync(client=anybody, body=LoginRequest(email=email, password=password))
    assert isinstance(session, TokenGranted), session
    assert session.public_id == registered.public_id
    client = AuthenticatedClient(base_url=base_url, token=session.authorization)

    claims = verify_token.sync(client=client)
    assert isinstance(claims, TokenClaims) and claims.user_id == session.public_id and not claims.admin, claims
    assert claims.expires_at > claims.issued_at
    me = get_current_user.sync(client=client)
    assert isinstance(me, UserView) and me.username == name, me
    found = get_user.sync(session.public_id, client=client)
    assert found == me, found
    listed = list_users.sync(client=client, limit=10)
    assert isinstance(listed, ErrorBody) and listed.code == "admin_required", listed

    done = logout.sync(client=client)
    assert isinstance(done, Done) and done.message == "Successfully logged out.", done
    refused = verify_token.sync_detailed(client=client)
    assert refused.status_code == 401, refused
    assert isinstance(refused.parsed, ErrorBody) and refused.parsed.code == "token_revoked", refused

    print("python: registered, logged in, verified, logged out, refused")


if __name__ == "__main__":
    main()
