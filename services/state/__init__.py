"""The schema `hitotsu` of Postgres: its migrations, and which tables a backup must hold."""
