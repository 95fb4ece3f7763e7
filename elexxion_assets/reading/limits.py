"""How much one delivery may ask of the machine before it is refused."""

BLOCK = 1 << 18
"""Bytes read at a time; what numpy makes of larger ones is memory that is fetched anew each time."""

MAX_RECORD = 64 << 20
"""Bytes of the longest record."""

MAX_COLUMNS = 20_000
"""Columns of the widest table; a spreadsheet holds 16,384."""

MAX_UNPACKED = 64 << 30
"""Bytes that a compressed file, or all members of an archive, may unfold to."""

MAX_RATIO = 250
"""How many times larger than its compressed form a file may be; repetitive official tables reach about 60."""

RATIO_MATTERS_FROM = 64 << 20
"""Unpacked bytes under which the ratio is of no concern."""

MAX_MEMBERS = 10_000
"""Files in one archive, inner archives included."""

MAX_DEPTH = 2
"""Archives in archives, and gzip in gzip."""

WORKBOOK_MEMORY = 6 << 30
"""Address space of the process that opens a workbook, in bytes."""

WORKBOOK_SECONDS = 600
"""Time after which a workbook is given up."""
