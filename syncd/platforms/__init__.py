"""Who we read from: one file per platform, found by being there.

A platform turns an account into a request and an answer into a `Profile`, or into what was `Heard`
where users grant us to read that, or raises one of the typed errors. It sees no storage and sleeps
never: limits, pauses and retries are outbound's.

Where what is read stands on two services, or the right to read it does, the second is a companion
of the platform: asked as nobody, or as the platform's app, within limits of its own, stored and
shown under its own name among the platform's credentials.
Trouble with it is trouble with the account, or, when it is the service's, the end of the pass.

Some also announce contests: `fetch_contests` maps a list of them, in which a row that cannot be
read costs no other (`announced`, and a module of each platform beside it).

`base` is the contract, `shape` what adapters share: typed reading of an answer, where nothing that
is absent becomes 0, and the judgement of sites that know nobody by a credential.
"""
