"""One module a page: `gather` asks the store, `show` makes of its rows what is shown, purely."""
