"""Signing in over the wire, one step a request. Each step takes a ``SignInRequest`` and returns the answer's members.

``password`` and ``new_password``, ``challenges`` and ``device_proof`` take what the client sends; ``due`` says what
comes next; ``finish`` issues the tokens. Every step raises ``WireError`` for what is not good.
"""
