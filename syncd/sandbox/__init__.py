"""Stand-ins that play the outside world: small servers written from the API's side.

They know nothing of how syncd asks. Each enforces what the real service enforces, answers in the
shapes that were recorded from it, and counts what it was asked, so that a test can say "no window
exceeded the limit" or "nobody was fetched twice" from the other end of the wire.

A stand-in is a plug-in: one file named like the platform it plays, one class that fulfils `base`
and tells about itself what tests need to ask of every platform the same.

Read in this order: `draw` makes deterministic choices from a seed, `answer` one HTTP answer and how
it is delivered, `faults` what may happen to it on the way, `limits` what a caller may use,
`counters` what was seen, `base` the contract. Of GitHub: `population` the users (nobody is stored,
only changes are), `github_apps` who a caller is, `github` the stand-in itself, `graphql` its other
endpoint with `nodes` (what that tells of the population) and `selection` (which of it was asked
for). Of the others: `players` are the same people on every site, `calendar` is what contests they
announce, `service` what sites without credentials share, then one file each. Spotify is `spotify`
with `spotify_plays` (who listened to what), `spotify_tracks` (what a play looks like),
`spotify_grants` (which tokens are good), `spotify_accounts` (the endpoint that renews them) and
`spotify_faults`. Of the channels: `receiving` is what those share that take messages, then
`whatsapp`, `webpush` (with the browsers behind it), `ntfy` and `webhooks`; they are not plug-ins.
`server` gives a stand-in an address, `control` steers and reads it from another process,
`__main__` runs it as one.
"""
