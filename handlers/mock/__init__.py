"""The stub: layers around the reference path, none of which it knows of.

bytes on the wire
  stub         which world; CORS; control plane or route; what the world's journal keeps
  prefer       an answer forced by header goes out here
  script       one forced by the world's script, or a real one that is delayed or broken
  app          the reference path, served by the world's services
  magic        one forced by an address in the body goes out between app and routing
bytes on the wire
"""
