"""
Figures for Prometheus, and whether everbearer can serve.

What happens is counted by one subscriber of the events among others; it is put
into words only when somebody asks. No figure has a host, a path, a client or
anything secret in its labels.
"""
