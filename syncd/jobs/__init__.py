"""What is synced: one file per job kind, found by being there.

`base` is the contract. `fanout` runs the items of one credential of a platform (`work` says which):
`pages` claims them from the store, `sweep` asks which of many changed where the platform can answer
that, `questions` asks for the others on `lanes` side by side, alone or as many as the platform
takes at once, and `fanout` commits what was learned in batches, so that memory does not grow with
the number of users and a kill loses at most `claim` uncommitted ones, or one question's; `passes`
repeats that after the pauses a platform asks for. `course`
knows whether the pass goes on, `admission` what a person paused or withdrew, `columns` what the
query of [users] says, `stop` why a run should come to its end, `progress` how far it is.
`judgement` says what an item's error means for it, `schema` that the platform changed its answers,
`letters` tells that an item is kept for a person.

What kinds that follow accounts have in common stands in `following`, how their runs end in `ends`.
A kind may ask by an asker of its own: `listener` does, by what users granted. `grants` keeps that
good, for all runs of the process, `doubts` and `refusals` say what a refused one means.

One item's failure never stops another, one credential's or platform's failure never stops
another one.
"""
