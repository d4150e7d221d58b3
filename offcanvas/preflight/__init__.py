"""What a canvas will cost on another engine, said before it runs there.

`sizes` puts the numbers that the user names into the canvas; `temporal` and `prefect` walk the plan
with the kit's own walker and a driver that runs nothing and counts, on a clock that jumps; `limits`
holds what servers and vendors allow and what they ask for it; `answer` compares the two, looks for
the size at which each limit is met, and names the way out.
"""
