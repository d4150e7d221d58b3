"""The commands: one file each, with arguments, words and exit codes; the work is done elsewhere."""
