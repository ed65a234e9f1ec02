//! What a state of an older version says of where publishes are, and whose.

use sqlx::{Row, SqlitePool, sqlite::SqlitePoolOptions};

const BEFORE: [&str; 4] = [
    include_str!("../../src/state/migrations/0001_initial.sql"),
    include_str!("../../src/state/migrations/0002_sending.sql"),
    include_str!("../../src/state/migrations/0003_schedule.sql"),
    include_str!("../../src/state/migrations/0004_full_before.sql"),
];
const PLACES: &str = include_str!("../../src/state/migrations/0005_places.sql");

/// `gold` became `silver` at 3 and `bronze` at 6; then somebody used the name `gold` again.
const OLD: &str = r#"
    INSERT INTO activations (name) VALUES ('gold'), ('silver'), ('bronze');
    INSERT INTO publishes (id, activation, sequence, kind, status, queued_at, receipt) VALUES
        ('one', 'gold', 1, 'manual', 'succeeded', '2020-01-01T00:00:01Z', '{"files": [1], "extras": []}'),
        ('two', 'silver', 2, 'manual', 'succeeded', '2020-01-01T00:00:04Z', '{"files": [], "extras": [1]}'),
        ('gone', 'bronze', 3, 'teardown', 'failed', '2020-01-01T00:00:07Z', '{"files": [], "extras": []}'),
        ('three', 'bronze', 4, 'manual', 'succeeded', '2020-01-01T00:00:08Z', '{"files": [1], "extras": [1]}'),
        ('new', 'gold', 5, 'manual', 'succeeded', '2020-01-01T00:00:09Z', '{"files": [1], "extras": []}');
    INSERT INTO audit (at, who, what, activation, detail) VALUES
        ('2020-01-01T00:00:03Z', 'herald', 'rename', 'silver', 'took over `gold`'),
        ('2020-01-01T00:00:06Z', 'herald', 'rename', 'bronze', 'took over `silver`');
    INSERT INTO snapshots (activation, identity, pointer, rows, publish) VALUES ('bronze', 'there', '{}', 1, 'three');
"#;

#[tokio::test]
async fn objects_of_an_older_state_belong_to_the_name_that_their_activation_has_now() {
    let pool: SqlitePool = SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await.unwrap();
    for sql in BEFORE.into_iter().chain([OLD, PLACES]) {
        sqlx::raw_sql(sql).execute(&pool).await.unwrap();
    }
    let rows = sqlx::query("SELECT id, owner, place, objects FROM publishes ORDER BY number").fetch_all(&pool);
    let found: Vec<[String; 4]> = rows
        .await
        .unwrap()
        .into_iter()
        .map(|row| [0, 1, 2, 3].map(|column| row.get::<Option<String>, _>(column).unwrap_or_default()))
        .collect();
    assert_eq!(
        found,
        [
            ["one", "bronze", "there", "standing"],
            ["two", "bronze", "there", "standing"],
            ["gone", "bronze", "", ""],
            ["three", "bronze", "there", "standing"],
            ["new", "gold", "", "standing"],
        ]
    );
}
