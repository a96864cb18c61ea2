"""Does this tree cost more than a commit did?"""
