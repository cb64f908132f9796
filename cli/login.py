"""`mood login`: remember a server and a token."""

import socket
import sys

import typer

from cli.console import complain, out
from cli.remote import Login, Remote, remember

app = typer.Typer()


@app.command()
def login(
    server: str = typer.Argument(help="the server's address, https://…"),
    token: str | None = typer.Option(None, help="a token from the Tokens page; otherwise your password is asked for"),
    email: str | None = typer.Option(None, help="with the password: whose account"),
) -> None:
    """Remember a server and a token in your config folder."""
    if not server.startswith(("https://", "http://")):
        complain(f"{server} is not a server's address: write it as https://{server}")
    if token is None:
        email = email or typer.prompt("E-mail")
        asks = sys.stdin.isatty()
        password = typer.prompt("Password", hide_input=True) if asks else sys.stdin.readline().rstrip("\n")
        body = {"email": email, "password": password, "name": f"mood on {socket.gethostname()}"}
        token = Remote(server, None).post("/tokens", body)["token"]
    account = Remote(server, token).get("/me")
    path = remember(Login(server=server, token=token))
    out.print(f"Logged in to {server} as {account['email']}; remembered in {path}", soft_wrap=True)
