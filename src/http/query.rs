//! Query parameters: each at most once, no others; an empty one is as good as none.

use std::collections::BTreeMap;

use axum::http::Uri;

use super::problem::Problem;

#[derive(Debug)]
pub(super) struct Query(BTreeMap<String, String>);

impl Query {
    pub(super) fn read(uri: &Uri, known: &[&str]) -> Result<Self, Problem> {
        let pairs: axum::extract::Query<Vec<(String, String)>> =
            axum::extract::Query::try_from_uri(uri).map_err(|_| Problem::unfit("the query can't be read"))?;
        let mut found = BTreeMap::new();
        for (name, value) in pairs.0 {
            if !known.contains(&name.as_str()) {
                return Err(Problem::unfit(format!(
                    "this path takes no such parameter; it takes {}",
                    known.join(", ")
                )));
            }
            if !value.is_empty() && found.insert(name.clone(), value).is_some() {
                return Err(Problem::unfit(format!("`{name}` is given twice")));
            }
        }
        Ok(Self(found))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}
