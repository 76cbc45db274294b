"""
What happened, for good: a file of JSON lines, one for each event.

It is one subscriber of the events among others. What a line holds is listed in
`lines`, and only ever grows within one version.
"""
