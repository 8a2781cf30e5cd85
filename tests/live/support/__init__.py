"""What live tests are made of: processes, ports, websockets, browsers, the chain."""
