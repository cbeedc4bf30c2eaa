"""Tables and every query. One noun a file; query functions take a connection."""
