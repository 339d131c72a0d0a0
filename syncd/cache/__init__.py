"""Redis: the fast copy that a platform's users write to. Never a lock, never a ledger.

`connection` asks whether it is there; redis-py's errors end in this package (`refusal`). Only its
connection is used, in `raw`: its commands wait in a way that may swallow a cancellation.

`boards` reads leaderboards, everybody on any of them, as text that PostgreSQL's COPY takes as it
is. Redis is the slower side of that and shall stay so: its replies are never decoded (`raw`), it
always has the next page to look for (`scan`), and a page is put together without a glance at a
single row unless something in it needs one (`lines`). Only a few pages are in memory at a time.

Boards are walked through with ZSCAN and never by rank: pages of ranks lose members while others
write, ZSCAN finds everybody who is there from beginning to end. It makes no snapshot; what the
server says of itself before and after (`facts`) tells whether what was read may be believed.
"""
