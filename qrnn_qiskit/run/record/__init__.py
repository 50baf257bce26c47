"""What a run keeps on disk: ledger, checkpoint, directory, provenance."""
