"""How people are reached: one file per channel, found by being there.

A channel takes a message and says what came of it: a receipt, or a `DeliveryError` that tells
whether another attempt makes sense, whether anybody knows, and how far the failure reaches (this
delivery, this address, the whole channel). It keeps nothing and knows no database: who is to be
told, and that it happens once, is decided elsewhere.
"""
