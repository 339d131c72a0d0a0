"""The control port: what people and programs may ask of a running daemon, and who may ask.

`service` is what the daemon must be able to do, in one Protocol; what concerns reaching people
stands in `reaching` and `deliveries`. `routes` says what an address is (path, input, answer), and
one module per subject (`jobs`, `changes`, `runs`, `users`, `tokens`, `freshness`, `letters`,
`plans`, `alerts`, `notify`, `outbox`, of replaced services `periodic_sync`, `spotify_sync` and
`contest_sync`) declares its addresses;
`openapi` describes the same table. `server` puts them on a socket behind `security` (Host, Origin,
token) and `body` (type, size, deadline; `wording` says what is wrong with it, `instant` which dates
can be); `connections` bounds who may connect. `events` is the live stream, `metrics` what
Prometheus scrapes, `probes` the three addresses that need no token, `unsubscribe` the page that a
signed link opens without one. `address` tells where that is, for as long as the daemon lives.
`client` is the other end, for the command line, with the standard library alone; `cells` keeps what
it exports from being computed by a spreadsheet.
"""
