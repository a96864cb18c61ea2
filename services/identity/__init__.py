"""Which profiles are one person? Links by rule, cases for people, and their decisions."""
