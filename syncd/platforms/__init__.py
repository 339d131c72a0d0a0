"""Who we read from: one file per platform, found by being there.

A platform turns an account into a request and an answer into a `Profile`, or raises one of the
typed errors. It sees no storage and sleeps never: limits, pauses and retries are outbound's.
"""
