"""The transaction framework: its structures one by one, then whole servers under seeded schedules."""
