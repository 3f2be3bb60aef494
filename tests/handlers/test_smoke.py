def test_a_client_registers(live, email):
    envelope = live.register(email)
    assert envelope["code"] == 200, envelope
