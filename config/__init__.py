"""Settings, logging, the embedded servers, and the one place that wires things together."""
