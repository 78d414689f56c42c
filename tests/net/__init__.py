"""Tests of sockets: TLS, ports."""
