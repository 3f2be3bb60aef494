"""The server. `register.py` tells the route as a story; the other modules are its chapters.

bytes on the wire
  app          request id, body, what becomes of a crash
  operations   Connexion's routing from the spec -> the function `register`
  register     the story
  rules        the facts that must hold, in the order of the spec's rows
  store        check-and-insert, atomic
  mail         the welcome e-mail
  views        named representations
  statuses     a status and its envelope
bytes on the wire
"""
