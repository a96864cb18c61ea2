"""The services: every process of Hitotsu, and what they share."""
