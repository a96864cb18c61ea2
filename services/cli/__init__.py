"""`hitotsu`: one command with verbs, for the people who run the shop's backbone."""
