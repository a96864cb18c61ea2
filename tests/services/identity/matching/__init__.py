"""Are two profiles one person?"""
