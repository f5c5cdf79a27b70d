"""Our own emitters: they run in other people's pages and processes, and import nothing of ours."""
