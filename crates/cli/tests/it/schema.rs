//! The published schemas are those that the program prints.

use crate::bench::{bare, finish};
use std::path::Path;

#[tokio::test]
async fn published_schemas_are_the_ones_that_are_printed() {
    for of in ["manifest", "config"] {
        let ended = finish(bare(&["schema", of])).await;
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join(format!("../../docs/schema/{of}.schema.json"));
        let published = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            published == ended.out,
            "docs/schema/{of}.schema.json is old; write it anew: cargo run -- schema {of} > docs/schema/{of}.schema.json"
        );
    }
}
