"""
A local Box for tests and demonstrations. NOT THE REAL BOX.

It keeps Box's rules for tokens, rotation, errors and hosts. It knows nothing of the
rest of everbearer; `everbearer.sandbox.server` is its door, `routes.py` the list of
the calls it answers, and `control.py` that of what tests can do to it.
"""
