"""The doors for programs and people over HTTP: the API, and the portal."""
