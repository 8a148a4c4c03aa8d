"""What people see: published files over HTTP, status, search, health, metrics."""
