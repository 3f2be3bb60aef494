"""The server. `register.py` tells the route as a story; the other modules are its chapters.

bytes on the wire
  app          reads the body, and answers what nobody else does
  routing      Connexion: path and method of the spec -> the function `register`
  register     the story
  transport    media type, base64, JSON -> params
  rules        the facts that must hold, in the order of the spec's rows
  store        check-and-insert, atomic
  mail         the welcome e-mail
  views        named representations
  answers      a status and its envelope
bytes on the wire

`mock/` is the stub, layers around all this. Nothing here knows of it but `product`, which chooses.
"""
