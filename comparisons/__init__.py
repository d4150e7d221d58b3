"""The implementations side by side: timing, faults, report."""
