//! Record batches → bytes: Parquet, CSV, NDJSON, and their compression.
