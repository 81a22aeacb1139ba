"""Our engine, stock CrypTen and SPU side by side: the same work, batch, machine and network. Run with `make bench`."""
