//! Segments that need each other.

use std::collections::{BTreeMap, HashMap};

use crate::config::{Part, Rule, Segment};

/// Each cycle once: where the reference that closes it stands, and its names.
pub(super) fn find(segments: &BTreeMap<String, Segment>) -> Vec<(String, String)> {
    let edges: HashMap<&str, Vec<(&str, String)>> =
        segments.values().map(|segment| (segment.name.as_str(), edges_of(segment, segments))).collect();
    let mut found = Vec::new();
    let mut done: HashMap<&str, bool> = HashMap::new();
    for start in segments.keys() {
        if done.contains_key(start.as_str()) {
            continue;
        }
        // Depth first without recursion: a chain of segments may be long.
        let mut trail: Vec<(&str, usize)> = vec![(start, 0)];
        done.insert(start, false);
        while let Some((name, next)) = trail.last_mut() {
            let Some((to, at)) = edges.get(*name).and_then(|edges| edges.get(*next)) else {
                done.insert(name, true);
                trail.pop();
                continue;
            };
            *next += 1;
            match done.get(to) {
                Some(true) => {}
                Some(false) => {
                    let from = trail.iter().position(|(name, _)| name == to).unwrap_or(0);
                    let names: Vec<&str> = trail[from..].iter().map(|(name, _)| *name).chain([*to]).collect();
                    found.push((at.clone(), format!("segments need each other: {}", names.join(" → "))));
                }
                None => {
                    done.insert(to, false);
                    trail.push((to, 0));
                }
            }
        }
    }
    found
}

fn edges_of<'s>(segment: &'s Segment, segments: &'s BTreeMap<String, Segment>) -> Vec<(&'s str, String)> {
    let mut edges = Vec::new();
    collect(&segment.rule, segments, &mut edges);
    edges
}

fn collect<'s>(rule: &'s Rule, segments: &'s BTreeMap<String, Segment>, edges: &mut Vec<(&'s str, String)>) {
    for (index, rung) in rule.waterfall.iter().enumerate() {
        edges.extend(needed(rung, segments).map(|name| (name, format!("{}.waterfall[{index}]", rule.at))));
    }
    for part in rule.all_of.iter().chain(rule.any_of.iter().flatten()).chain(&rule.none_of) {
        match part {
            Part::Named { name, at } => edges.extend(needed(name, segments).map(|name| (name, at.clone()))),
            Part::Inline(rule) => collect(rule, segments, edges),
        }
    }
}

/// The segment behind a name; a rung needs its whole waterfall, as those before it decide who is left.
fn needed<'s>(name: &'s str, segments: &BTreeMap<String, Segment>) -> Option<&'s str> {
    [name, name.split('.').next().unwrap_or(name)].into_iter().find(|name| segments.contains_key(*name))
}
