"""Benchmarks: each module's `main()` prints a table, and returns 1 where a bound is broken."""
