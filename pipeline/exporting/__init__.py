"""Results as files for analysts: the last revision of each, as Parquet or CSV."""
