"""Redis: the fast copy that a platform's users write to. Never a lock, never a ledger.

`connection` reaches it; redis-py's errors end there.
"""
