"""Tests of nogil-df: a package, so that suites share servers and the RESP client by plain imports."""
