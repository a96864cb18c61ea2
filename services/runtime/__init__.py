"""What the processes share: settings, clients, metrics, logging."""
