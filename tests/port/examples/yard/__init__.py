"""Tasks as they are met in the wild: they ask for attempts, send others, carry objects."""
