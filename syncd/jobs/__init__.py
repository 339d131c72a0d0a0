"""What is synced: one file per job kind, found by being there.

`base` is the contract. `fanout` runs the items of one credential of a platform (`work` says which):
`pages` claims them from the store, `sweep` asks about many at once where the platform can answer
that, `fanout` fetches the others concurrently and commits what was learned in batches, so that
memory does not grow with the number of users and a kill loses at most `claim` uncommitted ones;
`passes` repeats that after the pauses a platform asks for.
`admission` knows what a person paused or withdrew, `columns` what the query of [users] says, `stop`
why a run should come to its end, `progress` how far it is. `judgement` says what an item's error
means for it, `letters` tells that it is kept for a person.

One item's failure never stops another, one credential's or platform's failure never stops
another one.
"""
