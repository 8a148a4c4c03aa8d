"""Workers on many machines that poll one store: their engine, their jobs, and the configuration that they share."""
