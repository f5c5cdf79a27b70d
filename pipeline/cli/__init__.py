"""The command line: a short module a command - parse, bootstrap, call, print."""
