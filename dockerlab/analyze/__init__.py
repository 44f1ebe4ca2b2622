"""Questions to tables: a DataFrame in, a DataFrame or a picture out. Nothing here talks to an engine.

    >>> from dockerlab.analyze import disk, logs, ports, security, timeline, usage

- `timeline`: how containers lived, from events. `usage`: what they used over time, from samples of stats.
- `disk`: where images' bytes are. `history`: the steps that made an image, with their bytes.
- `logs`: levels, fields and rates of a log's lines.
- `ports`: who publishes what, and who is in whose way. `differences`: two containers or two images side by side.
- `security`: what a container may do to its machine.

Pictures are matplotlib figures whose text form says what they show; matplotlib is loaded when the first one is made.
"""
