"""
A program of the user's is run when a profile needs a person.

It is started by one subscriber of the events among others, once for each state
that a person has to end.
"""
