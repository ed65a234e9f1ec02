//! Publishes and their receipts in SQLite. Only here is sqlx named.
