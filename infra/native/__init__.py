"""The servers as plain processes: no container engine, no root, no system Java."""
