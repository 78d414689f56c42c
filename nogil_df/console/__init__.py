"""What the server shows by HTTP: metrics for Prometheus, and a console for people."""
