"""Training and export of the networks that the first-party filters ship (PyTorch).

Nothing here is imported at run time. Importing this package imports no torch: commands do that
when they run.
"""
