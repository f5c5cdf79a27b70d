"""The core: pure functions over values. No I/O, no clock, no framework, no logging."""
