"""Analyses of tables: a DataFrame in, a DataFrame or a picture out. Nothing here sends requests to an engine.

    >>> from dockerlab.analyze import disk, logs, ports, security, timeline, usage

- `timeline`: the runs of containers, from events. `usage`: the resources they used over time, from samples of stats.
- `disk`: which images use how much disk space. `history`: the build steps of an image, with their sizes.
- `logs`: the levels, fields and rates of a log's lines.
- `ports`: published ports and conflicts between them. `differences`: the settings in which two containers or two
  images differ.
- `security`: what a container could do to its machine.

Pictures are matplotlib figures with a text that describes them. matplotlib is loaded when the first one is drawn.
"""
