"""Database and Redis URLs, read by ourselves: no error carries a piece of a password.

Passwords are pasted as they are. A URL that is not valid because its password holds `#`, `/`,
`?` or `@` is read as meant: what stands before the last `@` is the user and the password. So is
a percent sign that does not begin an escape. All errors are fixed sentences.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote

from syncd.model.address import PostgresAddress, RedisAddress

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")

_PARAMETERS = {"host", "port", "user", "password", "dbname", "sslmode", "db"}
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_SERVER = r"(?P<host>[^@/?#:\[\],\s]*|\[[0-9A-Fa-f:.]+\])(?::(?P<port>\d{0,5}))?"
_VALID = re.compile(
    r"(?:(?P<login>[^@/?#]*)@)?" + _SERVER + r"(?:/(?P<path>[^@?#]*))?(?:\?(?P<query>[^#]*))?"
)
_AS_MEANT = re.compile(
    r"(?P<login>.*)@" + _SERVER + r"(?:/(?P<path>[^@?#]*))?(?:\?(?P<query>[^@#]*))?", re.DOTALL
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Url:
    scheme: str
    user: str
    password: str = field(repr=False)
    host: str
    port: int | None
    path: str
    query: Mapping[str, str] = field(repr=False)


def parse_postgres(url: str) -> PostgresAddress:
    """Read `postgresql://user:password@host:port/database?sslmode=...`.

    `?host=` (the directory of a Unix socket, or a host), `port`, `user`, `password` and `dbname`
    win over the parts before the `?`. The database defaults to the user's name.

    Raises:
        ValueError: the URL cannot be used; the message holds nothing of it.
    """
    parts = _split(url, ("postgres", "postgresql"))
    query = dict(parts.query)
    user = query.pop("user", parts.user) or "syncd"
    host = query.pop("host", parts.host)
    port = query.pop("port", "")
    database = query.pop("dbname", parts.path)
    password = query.pop("password", parts.password)
    ssl = query.pop("sslmode", "")
    _refuse_rest(query, "host, port, user, password, dbname and sslmode")
    if ssl not in ("", *SSL_MODES):
        raise ValueError(f"has an sslmode that does not exist; there are {', '.join(SSL_MODES)}")
    if not host:
        raise ValueError("names no host")
    return PostgresAddress(
        host=host,
        port=_port(port) if port else (parts.port or 5432),
        user=user,
        password=password,
        database=database or user,
        ssl=ssl,
    )


def parse_redis(url: str) -> RedisAddress:
    """Read `redis://user:password@host:port/0`, `rediss://...` (TLS) or `unix:///path?db=0`.

    Raises:
        ValueError: the URL cannot be used; the message holds nothing of it.
    """
    parts = _split(url, ("redis", "rediss", "unix"))
    query = dict(parts.query)
    is_socket = parts.scheme == "unix"
    database = query.pop("db", "" if is_socket else parts.path) or "0"
    _refuse_rest(query, "db")
    if not re.fullmatch(r"[0-9]{1,5}", database):
        raise ValueError("has a database that is not a number")
    if is_socket and (parts.host or not parts.path):
        raise ValueError("names no socket; write unix:///path/to/the.sock")
    if not is_socket and not parts.host:
        raise ValueError("names no host")
    return RedisAddress(
        host=parts.host or "localhost",
        port=parts.port or 6379,
        socket=f"/{parts.path}" if is_socket else "",
        username=parts.user,
        password=parts.password,
        database=int(database),
        tls=parts.scheme == "rediss",
    )


def has_password(url: str) -> bool:
    """Tell whether a URL, even a broken one, holds a password or may hold one."""
    try:
        parts = _split(url, ())
    except ValueError:
        return bool(url)
    return bool(parts.password or parts.query.get("password"))


def without_password(url: str) -> str:
    """Write a URL with `***` for its password.

    A URL that cannot be read is `***` as a whole; so is one with parameters that nobody knows: a
    password that was pasted as it is may have begun them.
    """
    try:
        parts = _split(url, ())
    except ValueError:
        return "***"
    if not parts.query.keys() <= _PARAMETERS:
        return "***"
    login = f"{parts.user}{':***' if parts.password else ''}@" if parts.user else ""
    if parts.password and not parts.user:
        login = ":***@"
    host = f"[{parts.host}]" if ":" in parts.host else parts.host
    port = f":{parts.port}" if parts.port is not None else ""
    path = f"/{parts.path}" if parts.path else ""
    query = "&".join(
        f"{key}={'***' if key == 'password' or '@' in value else value}"
        for key, value in parts.query.items()
    )
    return f"{parts.scheme}://{login}{host}{port}{path}{'?' if query else ''}{query}"


def _split(url: str, schemes: tuple[str, ...]) -> _Url:
    scheme = _SCHEME.fullmatch(url.strip())
    if scheme is None or (schemes and scheme[1].lower() not in schemes):
        wanted = " or ".join(f"{word}://" for word in schemes)
        raise ValueError(f"does not begin with {wanted}")
    match = _VALID.fullmatch(scheme[2]) or _AS_MEANT.fullmatch(scheme[2])
    if match is None:
        raise ValueError("is not a URL of one server, user:password@host:port/database")
    user, _, password = (match["login"] or "").partition(":")
    return _Url(
        scheme=scheme[1].lower(),
        user=unquote(user),
        password=unquote(password),
        host=unquote(match["host"]).strip("[]"),
        port=_port(match["port"]) if match["port"] else None,
        path=unquote(match["path"] or ""),
        query=dict(parse_qsl(match["query"] or "", keep_blank_values=True)),
    )


def _port(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 0 < int(text) < 65_536:
        raise ValueError("has a port that is not a number from 1 to 65535")
    return int(text)


def _refuse_rest(query: Mapping[str, str], known: str) -> None:
    if query:
        raise ValueError(f"has parameters that syncd does not know; it knows {known}")
