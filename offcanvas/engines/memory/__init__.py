"""The engine in memory: this process, or a pool of processes, and no server."""
