"""The stress suites' scenarios, for a second or two each; `make stress` plays them for minutes."""
