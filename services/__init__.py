"""Who runs it: the processes of Hitotsu."""
