"""When things happen, never how: the sweep's beat, and the schedules of operations."""
