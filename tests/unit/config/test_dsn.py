from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.config.dsn import has_password, parse_postgres, parse_redis, without_password
from syncd.model.address import PostgresAddress, RedisAddress

SECRET = "hunter2hunter2"


def postgres(**parts: Any) -> PostgresAddress:
    return PostgresAddress(
        **{"host": "db", "user": "u", "password": SECRET, "database": "d", **parts}
    )


@pytest.mark.parametrize(
    ("url", "address"),
    [
        (f"postgresql://u:{SECRET}@db:6432/d", postgres(port=6432)),
        (f"postgres://u:{SECRET}@db/d?sslmode=verify-full", postgres(ssl="verify-full")),
        (f"postgres://u:{SECRET}@[::1]:6432/d", postgres(host="::1", port=6432)),
        ("postgres://db", PostgresAddress(host="db")),
        ("postgres://u@db", PostgresAddress(host="db", user="u", database="u")),
        (f"postgres://u:{SECRET}@/d?host=/run/postgresql", postgres(host="/run/postgresql")),
        (f"postgres://u:{SECRET}@%2Frun%2Fpostgresql/d", postgres(host="/run/postgresql")),
        (f"postgres://db?user=u&password={SECRET}&dbname=d&port=1", postgres(port=1)),
        ("postgres://u:a%40b%25@db/d", postgres(password="a@b%")),
        ("postgres://u:a@b@db/d", postgres(password="a@b")),
        ("postgres://u:a#b/c?d@db/d", postgres(password="a#b/c?d")),
        ("postgres://u:5/x@db/d", postgres(password="5/x")),
        ("postgres://u:a%b@db/d", postgres(password="a%b")),
        ("postgres://u:a:b@db/d", postgres(password="a:b")),
    ],
)
def test_a_postgres_url_is_read_as_it_was_meant(url: str, address: object) -> None:
    assert parse_postgres(url) == address


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://cache", RedisAddress(host="cache")),
        (
            f"redis://:{SECRET}@cache:6380/3",
            RedisAddress(host="cache", port=6380, password=SECRET, database=3),
        ),
        (
            f"rediss://me:{SECRET}@cache",
            RedisAddress(host="cache", username="me", password=SECRET, tls=True),
        ),
        (
            "unix:///run/redis.sock?db=2",
            RedisAddress(host="localhost", socket="/run/redis.sock", database=2),
        ),
        (
            f"unix://:{SECRET}@/run/redis.sock",
            RedisAddress(host="localhost", socket="/run/redis.sock", password=SECRET),
        ),
    ],
)
def test_a_redis_url_is_read_as_it_was_meant(url: str, address: object) -> None:
    assert parse_redis(url) == address


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (f"mysql://u:{SECRET}@db/d", "does not begin with postgres:// or postgresql://"),
        (SECRET, "does not begin with"),
        (f"postgres://u:{SECRET}@db:99999/d", "has a port that is not a number"),
        (f"postgres://u:{SECRET}@db:x/d", "is not a URL of one server"),
        (f"postgres://u:{SECRET}@a,b/d", "is not a URL of one server"),
        (f"postgres://u:{SECRET}@/d", "names no host"),
        (f"postgres://u:{SECRET}@db/d?{SECRET}=1", "has parameters that syncd does not know"),
        (f"postgres://u:{SECRET}@db/d?sslmode={SECRET}", "has an sslmode that does not exist"),
        (f"postgres://u:{SECRET}@db/d#{SECRET}", "is not a URL of one server"),
        (f"postgres://u:1?{SECRET}@db/d", "has parameters that syncd does not know"),
    ],
)
def test_a_postgres_url_that_cannot_be_used_is_refused_in_a_fixed_sentence(
    url: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        parse_postgres(url)

    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (f"http://:{SECRET}@cache", "does not begin with"),
        (f"redis://:{SECRET}@cache/x", "has a database that is not a number"),
        (f"redis://:{SECRET}@/0", "names no host"),
        ("unix://cache/x", "names no socket"),
        (f"redis://:{SECRET}@cache?{SECRET}=1", "has parameters that syncd does not know"),
    ],
)
def test_a_redis_url_that_cannot_be_used_is_refused_in_a_fixed_sentence(
    url: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        parse_redis(url)

    assert SECRET not in str(caught.value)


@settings(max_examples=50)
@given(
    st.text(max_size=20), st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
)
def test_no_url_leaks_its_password_by_an_error_or_by_its_redacted_form(
    noise: str, password: str
) -> None:
    password = f"{SECRET}{password}{SECRET}"
    url = f"postgres://u:{password}@db{noise}/d"

    try:
        said = repr(parse_postgres(url)) + str(parse_postgres(url))
    except ValueError as error:
        said = str(error)

    assert SECRET not in said
    assert SECRET not in without_password(url)


@settings(max_examples=50)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30))
def test_a_password_that_was_percent_encoded_comes_back_as_it_was(password: str) -> None:
    address = parse_postgres(f"postgres://u:{quote(password, safe='')}@db/d")

    assert address == postgres(password=password)


@pytest.mark.parametrize(
    ("url", "redacted"),
    [
        (f"postgres://u:{SECRET}@db:6432/d", "postgres://u:***@db:6432/d"),
        (f"redis://:{SECRET}@cache/0", "redis://:***@cache/0"),
        ("redis://cache", "redis://cache"),
        (
            f"postgres://u:{SECRET}@[::1]/d?sslmode=require",
            "postgres://u:***@[::1]/d?sslmode=require",
        ),
        (f"postgres://db/d?password={SECRET}", "postgres://db/d?password=***"),
        (SECRET, "***"),
        (f"postgres://u:x@?{SECRET}@db/d", "***"),
        (f"postgres://u:x@?host={SECRET}@db/d", "postgres://u:***@?host=***"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, redacted: str) -> None:
    assert without_password(url) == redacted


@pytest.mark.parametrize(
    ("url", "has"),
    [
        (f"postgres://u:{SECRET}@db", True),
        (f"postgres://db?password={SECRET}", True),
        (SECRET, True),
        ("postgres://u@db", False),
        ("postgres://:@/", False),
        ("", False),
    ],
)
def test_a_url_that_holds_a_password_is_told_from_one_that_does_not(url: str, has: bool) -> None:
    assert has_password(url) is has
