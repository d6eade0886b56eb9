"""Public data sets, one file each, and what they share: `magenet prepare`, `magenet manifest`.

A set's file says what is known of it and finds its photographs; `preparation.py` prepares them.
"""
