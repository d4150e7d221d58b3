"""What a canvas means, with no engine in sight."""
