"""Our HTTP client: one way out, under every limit a platform sets.

A request passes, in this order: retry > gate > credential > connection > reader > verdict. Where a
credential has tokens to be made (`installation`), that happens before the gate, by a request of its
own through the same gate: nobody waits for one with a slot in hand.

- `client` asks: one per (platform, credential), shared by all jobs. It follows redirects within
  the origin only, and remembers (`standing`) that the credential is refused until it is accepted
  again. `request` says where and what, `transport` sets aiohttp's connections up (TLS always
  verified) and puts its errors into our words, `wire` writes requests and keeps connections,
  `talk` speaks on one of them, within one deadline, and collects at most so many bytes; an answer
  that is plain `head` reads at a glance.
- `retry` sits outside the gate, so nobody sleeps holding a slot or a token.
- `gate` is what a request passes before it leaves: `pause` (what the server asked for), `resource`
  (a `quota` over a long window, ours and the server's, and the reserve of it that only manual
  triggers may use), `limiter` (the token bucket) and slots. Requests stand in lines (`line`), one
  per resource and `urgency`; only the head of a line waits, and takes what it waits for in one
  step: whoever is cancelled while waiting holds nothing, and the others are served in the order
  they came, those of a person before those of a schedule.
- `breaker` counts failures in a row, closes the way to a platform that fails everybody, and lets
  one request at a time try whether it is back. It decides alone when a failure is the platform's.
- What a gate must know after a restart it tells as a `GateState` to whoever set `remember`, and
  takes back by `restore`: this package knows no store.
- `lane` is where one credential's big questions (a sweep) leave, one at a time and of a size that
  is borne. A failure of such a question is halved, not retried, and does not open the breaker.
- `meter` tells what one caller's requests cost.
- `reader` parses what came strictly; `answers` holds what came back
  and the words in which a platform judges it (`Verdict`).
- `hook` posts to a webhook: no gate, no redirect, an address that is a secret. So does `post` for
  channels, where it is users who give the addresses; `rests` remembers who wants to be left alone,
  and `said` returns what was answered without the address.
- `credentials` and `addresses` say as whom and to whom we talk.

The platform decides what its answers mean (`classify`); this package acts on the verdict: it
pauses the gate, tries again, or raises one of the errors of `syncd.errors`.
"""
