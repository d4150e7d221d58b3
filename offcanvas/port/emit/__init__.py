"""Source for an engine: what a team keeps."""
