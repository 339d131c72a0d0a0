"""What happened, told once: code emits an event on the bus, everything else subscribes.

`events` names what can happen, `bus` hands it on, `event_log` makes a line of each, beginning with
the `phrases` that people search for, `metrics` counts them and renders, with what is measured at a
scrape, the text for Prometheus. A subscriber never fails the one who tells: its errors end in the
bus. State that must survive is written to the store by its owner, never by a subscriber.

`logs` is the way of every line: `redact` masks secrets, `render` makes JSON for machines and text
for people, `stream` and `files` write it, `purpose` says into which file, `tail` reads it again.
A line is one write, at once: no buffer and no thread, so that nothing is lost when the process is
killed (a buffer would save less than a microsecond a line). A line that cannot be written is
counted and never raised: no run fails because a disk is full or nobody reads stdout.
"""
