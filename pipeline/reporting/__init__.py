"""What the results say to somebody who owns a channel: the report, as a value, and its renderings.

Pure: results in, a report out, a text or a page out of that. Reading logs and files is the
commands' work.
"""
