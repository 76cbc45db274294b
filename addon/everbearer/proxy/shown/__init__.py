"""
What mitmproxy's own interfaces and flow files show of everbearer's work.

Loaded only where somebody looks: who runs the proxy alone pays nothing for it.
"""
