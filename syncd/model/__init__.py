"""Values that cross packages: frozen, keyword-only, without behaviour that needs the outside.

`run` holds what a run is asked to do and what came of it, `schedule` the policies of fires,
`account` whom we follow where, `profile` what a platform says about an account, `letter` what waits
for a person, `override` what people changed of a job, `alert` what they are told of it,
`address` where a server listens.
"""
