"""The conformance suite: judges any server that claims the route, over HTTP alone.

cases/*.yaml
  library      reads and checks them                                -> cases
  target       what is known of the server under test               -> target
  running      which cases, side by side or alone
    judging    one case: arrange, send, hold the answer against what is expected
      arranging    states, by our stub's control plane, a hook, the route itself or by presets
      composing    placeholders and layers                          -> bytes
      wire         raw HTTP/1.1                                     -> answer
      matching     expectations; invariants: what holds of every answer
  deciding     verdicts                                             -> exit code
  recording    everything, without the secrets                      -> report
  reporting    the report as a page, JUnit, Markdown, ...

It shares `spec` with the server and nothing else, so that two readings of one document meet.
"""
