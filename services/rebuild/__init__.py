"""How is a projection folded anew from the log, beside the live one, and put in its place?"""
