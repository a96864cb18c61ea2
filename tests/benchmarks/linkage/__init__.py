"""How well are profiles of one person found, beside what somebody would pick instead?"""
