"""The three implementations side by side: timing, faults, report."""
