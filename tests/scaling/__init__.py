"""`stress.scaling`: what parses, counts, fits and simulates, and one tiny run of everything."""
