"""What strangers' connections cost a server, and what another visitor notices of them."""
