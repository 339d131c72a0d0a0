"""Our HTTP client: one way out, under every limit a platform sets.

A request passes, in this order: retry > gate > credential > connection > reader > verdict.

- `client` asks: one per (platform, credential), shared by all jobs. It follows redirects within
  the origin only. `request` says where and what, `transport` sets aiohttp's connections up (TLS
  always verified) and puts its errors into our words, `wire` sends and receives over them, within
  one deadline.
- `retry` sits outside the gate, so nobody sleeps holding a slot or a token.
- `gate` is what a request passes before it leaves: `pause` (what the server asked for), `quota`
  (a long window, ours and the server's), `limiter` (the token bucket) and slots. Only the head of
  one queue waits for all of them, and takes all of them in one step: whoever is cancelled while
  waiting holds nothing, and the others are served in the order they came.
- `breaker` counts failures in a row, closes the way to a platform that fails everybody, and lets
  one request at a time try whether it is back. It decides alone when a failure is the platform's.
- What a gate must know after a restart it tells as a `GateState` to whoever set `remember`, and
  takes back by `restore`: this package knows no store.
- `meter` tells what one caller's requests cost.
- `reader` reads at most so many bytes and parses them strictly; `answers` holds what came back
  and the words in which a platform judges it (`Verdict`).
- `credentials` and `addresses` say as whom and to whom we talk.

The platform decides what its answers mean (`classify`); this package acts on the verdict: it
pauses the gate, tries again, or raises one of the errors of `syncd.errors`.
"""
