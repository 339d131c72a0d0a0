"""What happened, told once: code emits an event on the bus, everything else subscribes.

`events` names what can happen, `bus` hands it on, `logs` writes it. A subscriber never fails the
one who tells: its errors end in the bus. State that must survive is written to the store by its
owner, never by a subscriber.
"""
