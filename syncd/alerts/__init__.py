"""Tells the operator what is wrong, over a webhook, once, and when it is over.

`conditions` is the rule, a pure function: what was told of a job, against the run that tells how it
is now, gives what is to be told. `watch` applies it to the ledger at the start, after each run and
every minute, and writes down what it decided; `courier` takes that to the webhook (`delivery`
says in which words) and writes down that it was told. `desk` puts both together.

Promises: what a run left behind is told although the process dies before, twice rather than never,
because all of it is found in the database. It is told by the one that leads, and at most one thing
a job and topic waits, so that a receiver that is away costs no memory. No run waits for an alert,
or fails because of one. What cannot be delivered is a warning line, a counter and a problem in
`syncd status`. The address of the webhook is a secret.
"""
