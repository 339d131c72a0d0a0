"""Where a PostgreSQL or Redis server can be reached."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresAddress:
    """Where a PostgreSQL server listens and as whom to connect.

    `host` is a name, an IP address, or the directory of a Unix socket (begins with `/`).
    `ssl` is one of libpq's sslmode words; empty means the library's default.
    """

    host: str
    port: int = 5432
    user: str = "syncd"
    password: str = field(default="", repr=False)
    database: str = "syncd"
    ssl: str = ""

    def __str__(self) -> str:
        """Name the server without its password, for messages."""
        return f"{self.user}@{self.host}:{self.port}/{self.database}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisAddress:
    """Where a Redis or Valkey server listens; `socket` (a path) wins over `host` and `port`."""

    host: str = "127.0.0.1"
    port: int = 6379
    socket: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    database: int = 0
    tls: bool = False

    def __str__(self) -> str:
        """Name the server without its password, for messages."""
        return self.socket or f"{self.host}:{self.port}/{self.database}"
