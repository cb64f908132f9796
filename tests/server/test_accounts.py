"""Sign-ups, sign-ins, tokens and hosts."""

from datetime import timedelta

import argon2
import pytest
from pwdlib import PasswordHash
from sqlalchemy import select

from server import accounts
from server.db import Database
from server.errors import Conflict, Invalid, NotAllowed, NotFound
from server.models import Account, Analysis, ApiToken, Host, LoginSession
from server.protocol import HostReport, Task
from tests.server.test_leaderboard import score
from tests.server.world import NOW, World

PASSWORD = "correct horse battery"


def register(db: Database, team: str = "Team", email: str = "a@example.org", password: str = PASSWORD) -> str:
    with db.write() as s:
        return accounts.register(s, team_name=team, email=email, password=password, now=NOW).id


def test_registering_makes_a_team_of_one(embedded_db: Database) -> None:
    key = register(embedded_db, " The  Team ", " A@Example.org ")
    with embedded_db.read() as s:
        account = s.get_one(Account, key)
        assert account.team is not None
        assert (account.email, account.team.name, account.organizer) == ("a@example.org", "The Team", False)


@pytest.mark.parametrize("email", ["", "a", "a@", "@b", "a b@c", "a@b\n@c", "a" * 260 + "@b.c"])
def test_what_is_no_address_is_refused(embedded_db: Database, email: str) -> None:
    with pytest.raises(Invalid, match="e-mail"):
        register(embedded_db, email=email)


@pytest.mark.parametrize("password", ["", "short", "x" * 1001])
def test_a_password_has_a_length(embedded_db: Database, password: str) -> None:
    with pytest.raises(Invalid, match="10 to 1000"):
        register(embedded_db, password=password)


@pytest.mark.parametrize("team", ["", "   ", "x" * 81, "a\x00b", "a\u202eb", "=1+1", "-2"])
def test_a_team_name_can_be_read(embedded_db: Database, team: str) -> None:
    with pytest.raises(Invalid, match="team name"):
        register(embedded_db, team)


def test_addresses_and_team_names_are_taken_once(embedded_db: Database) -> None:
    register(embedded_db)
    with pytest.raises(Conflict, match="account already"):
        register(embedded_db, "Other")
    with pytest.raises(Conflict, match="is taken"):
        register(embedded_db, "TEAM", "b@example.org")


def test_an_organizer_needs_no_team_and_others_do(embedded_db: Database) -> None:
    with embedded_db.write() as s:
        boss = accounts.add_user(s, email="o@x.y", password=PASSWORD, organizer=True, team_name=None, now=NOW)
        assert boss.organizer
        assert boss.team is None
        with pytest.raises(Invalid, match="team"):
            accounts.add_user(s, email="p@x.y", password=PASSWORD, organizer=False, team_name=None, now=NOW)


def test_the_password_opens_and_nothing_else_does(embedded_db: Database) -> None:
    register(embedded_db)
    with embedded_db.read() as s:
        assert accounts.authenticate(s, email=" A@example.org", password=PASSWORD) is not None
        assert accounts.authenticate(s, email="a@example.org", password="wrong") is None
        assert accounts.authenticate(s, email="nobody@example.org", password=PASSWORD) is None
        assert accounts.authenticate(s, email="a@example.org", password="x" * 10**6) is None


def test_passwords_are_kept_as_argon2id(embedded_db: Database) -> None:
    key = register(embedded_db)
    with embedded_db.read() as s:
        assert s.get_one(Account, key).password_hash.startswith("$argon2id$")


def test_a_password_costs_a_guesser_what_argon2_recommends(recommended: PasswordHash) -> None:
    parameters = argon2.extract_parameters(recommended.hash(PASSWORD))
    assert parameters == argon2.profiles.RFC_9106_LOW_MEMORY


def test_a_session_opens_until_it_ends(embedded_db: Database) -> None:
    key = register(embedded_db)
    with embedded_db.write() as s:
        secret = accounts.log_in(s, s.get_one(Account, key), NOW)
    with embedded_db.write() as s:
        found = accounts.account_for_session(s, secret, NOW + timedelta(days=13))
        assert found is not None
        assert found.id == key
        assert accounts.account_for_session(s, secret, NOW + timedelta(days=14)) is None
        assert accounts.account_for_session(s, "guess", NOW) is None
        accounts.log_out(s, secret)
        assert accounts.account_for_session(s, secret, NOW) is None


def test_ended_sessions_are_cleared_at_the_next_sign_in(embedded_db: Database) -> None:
    key = register(embedded_db)
    with embedded_db.write() as s:
        account = s.get_one(Account, key)
        accounts.log_in(s, account, NOW)
        accounts.log_in(s, account, NOW + timedelta(days=15))
        assert len(s.scalars(select(LoginSession)).all()) == 1


def test_a_token_opens_until_it_is_revoked(embedded_db: Database) -> None:
    key = register(embedded_db)
    with embedded_db.write() as s:
        account = s.get_one(Account, key)
        secret = accounts.create_token(s, account, "laptop", NOW)
        assert secret.startswith("mood_")
        assert accounts.account_for_token(s, secret, NOW) is account
        (token,) = accounts.tokens(s, account)
        assert (token.name, token.used_at) == ("laptop", NOW)
        accounts.revoke_token(s, account, token.id, NOW)
        assert accounts.account_for_token(s, secret, NOW) is None
        assert accounts.tokens(s, account) == []


def test_another_accounts_token_cannot_be_revoked(embedded_db: Database) -> None:
    own, other = register(embedded_db), register(embedded_db, "Other", "b@example.org")
    with embedded_db.write() as s:
        accounts.create_token(s, s.get_one(Account, own), "laptop", NOW)
        (token,) = accounts.tokens(s, s.get_one(Account, own))
        with pytest.raises(NotFound):
            accounts.revoke_token(s, s.get_one(Account, other), token.id, NOW)


def test_no_secret_is_kept(embedded_db: Database) -> None:
    key = register(embedded_db)
    with embedded_db.write() as s:
        account = s.get_one(Account, key)
        secrets = [
            accounts.create_token(s, account, "laptop", NOW),
            accounts.log_in(s, account, NOW),
            accounts.add_host(s, "gpu1", NOW),
        ]
        s.flush()
        kept = [*s.scalars(select(ApiToken)), *s.scalars(select(LoginSession)), *s.scalars(select(Host))]
        assert len(kept) == 3
        for row in kept:
            assert not any(secret in str(vars(row)) for secret in secrets)


def test_a_host_has_one_token_at_a_time(embedded_db: Database) -> None:
    with embedded_db.write() as s:
        first = accounts.add_host(s, "gpu1", NOW)
        assert first.startswith("moodhost_")
        second = accounts.add_host(s, "gpu1", NOW)
        assert accounts.host_for_token(s, first, NOW) is None
        host = accounts.host_for_token(s, second, NOW)
        assert host is not None
        assert [one.name for one in accounts.hosts(s)] == ["gpu1"]
        accounts.revoke_host(s, "gpu1", NOW)
        assert accounts.host_for_token(s, second, NOW) is None
        with pytest.raises(NotFound):
            accounts.revoke_host(s, "gpu1", NOW)


def test_a_participants_token_is_no_hosts(embedded_db: Database) -> None:
    key = register(embedded_db)
    with embedded_db.write() as s:
        token = accounts.create_token(s, s.get_one(Account, key), "laptop", NOW)
        host = accounts.add_host(s, "gpu1", NOW)
        assert accounts.host_for_token(s, token, NOW) is None
        assert accounts.account_for_token(s, host, NOW) is None


def test_each_worker_of_a_host_has_its_own_report(embedded_db: Database) -> None:
    with embedded_db.write() as s:
        secret = accounts.add_host(s, "gpu1", NOW)
    for worker in ("w0", "w1"):
        report = HostReport(
            worker=worker, architecture="amd64", engine="docker 20.10", gpus=[], datasets=[], checks={}, at=NOW
        )
        with embedded_db.write() as s:
            host = accounts.host_for_token(s, secret, NOW)
            assert host is not None
            accounts.host_reported(s, host, report, NOW)
    with embedded_db.read() as s:
        (host,) = accounts.hosts(s)
        assert set(host.report or {}) == {"w0", "w1"}
        assert host.seen_at == NOW


def test_a_team_takes_its_name_back_and_gives_it_again(embedded_world: World) -> None:
    world = embedded_world
    world.team()
    with world.db.write() as s:
        account = world.account(s)
        assert account.team is not None
        for shown in (False, False, True):
            accounts.show_name(s, account.team, shown=shown, account=account, now=NOW)
            assert account.team.anonymous is not shown
    assert world.history("team", account.team.id) == ["anonymous", "named"]


def test_a_name_that_was_taken_back_is_in_no_analysis_and_the_others_stay(world: World) -> None:
    score(world, "Team")
    with world.db.write() as s:
        account = world.account(s)
        for task in Task:
            challenge = world.challenge(s)
            s.add(Analysis(challenge_id=challenge.id, task=task, fingerprint="", content={}, computed_at=NOW))
        assert account.team is not None
        accounts.show_name(s, account.team, shown=False, account=account, now=NOW)
        assert s.scalars(select(Analysis.task)).all() == [Task.PIXEL]


def test_a_team_without_a_counting_submission_takes_nobodys_analyses_away(world: World) -> None:
    score(world, "Other")
    world.team()
    with world.db.write() as s:
        account = world.account(s)
        challenge = world.challenge(s)
        s.add(Analysis(challenge_id=challenge.id, task=Task.SAMPLE, fingerprint="", content={}, computed_at=NOW))
        assert account.team is not None
        accounts.show_name(s, account.team, shown=False, account=account, now=NOW)
        assert s.scalars(select(Analysis.task)).all() == [Task.SAMPLE]


def test_only_members_and_organizers_decide_about_a_name(embedded_world: World) -> None:
    world = embedded_world
    organizer = world.organizer()
    world.team()
    world.team("Other")
    with world.db.write() as s:
        team = world.account(s).team
        assert team is not None
        with pytest.raises(NotAllowed):
            accounts.show_name(s, team, shown=False, account=world.account(s, "Other"), now=NOW)
        assert not team.anonymous
        accounts.show_name(s, team, shown=False, account=s.get_one(Account, organizer), now=NOW)
        assert team.anonymous


def test_teams_are_listed_by_name(embedded_world: World) -> None:
    for name in ("beta", "Alpha", "Gamma"):
        embedded_world.team(name)
    with embedded_world.db.read() as s:
        assert [team.name for team in accounts.teams(s)] == ["Alpha", "beta", "Gamma"]
