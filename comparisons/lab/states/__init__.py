"""What an engine says about an execution, and how to be rid of one; a module for each engine."""
